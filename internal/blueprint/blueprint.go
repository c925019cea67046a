// Package blueprint is what all forms of a project have in common that is not a template yet: a CloudFormation template being made,
// the logical IDs that the Serverless Framework gives (spec control-plane §16), and what routes, stages and functions are held
// to before control sees them. It reads no file. Callers are packages serverless, which reads serverless.yml, and project,
// which reads cleat.yaml.
package blueprint

import (
	"slices"

	"cleat/internal/cfn"
)

// Blueprint is a CloudFormation template being made. Sections and resources keep their order. Make one with New; it is used by
// one goroutine.
type Blueprint struct {
	Resources *cfn.Value
	Outputs   *cfn.Value
	Others    []cfn.Entry // further sections
}

// New returns a template with nothing in it.
func New() *Blueprint {
	return &Blueprint{Resources: &cfn.Value{Kind: cfn.Map}, Outputs: &cfn.Value{Kind: cfn.Map}}
}

// Add puts a resource in that the project does not write itself; its Metadata says so. Properties that are nil are left
// out.
func (b *Blueprint) Add(at cfn.Place, id, typ string, properties *cfn.Value, more ...any) {
	v := cfn.MapOf(at, "Type", cfn.TextOf(at, typ), "Properties", properties)
	v.Keys = append(v.Keys, cfn.MapOf(at, more...).Keys...)
	generated := cfn.MapOf(at, "cleat", cfn.MapOf(at, "Generated", cfn.BoolOf(at, true)))
	v.Set(cfn.Entry{Key: "Metadata", Place: at, Value: cfn.Merge(generated, v.Get("Metadata"))})
	b.Resources.Set(cfn.Entry{Key: id, Place: at, Value: v})
}

// Output adds an output with its description.
func (b *Blueprint) Output(at cfn.Place, name, description string, value *cfn.Value) {
	b.Outputs.Set(cfn.Entry{Key: name, Place: at, Value: cfn.MapOf(at, "Description", cfn.TextOf(at, description), "Value", value)})
}

// Value is the whole template.
func (b *Blueprint) Value() *cfn.Value {
	v := &cfn.Value{Kind: cfn.Map, Keys: slices.Clone(b.Others)}
	v.Keys = append(v.Keys, cfn.Entry{Key: "Resources", Value: b.Resources})
	if len(b.Outputs.Keys) > 0 {
		v.Keys = append(v.Keys, cfn.Entry{Key: "Outputs", Value: b.Outputs})
	}
	return v
}

// Permit lets API Gateway call the function of that ARN.
func (b *Blueprint) Permit(at cfn.Place, id string, arn *cfn.Value) {
	b.Add(at, id, "AWS::Lambda::Permission", cfn.MapOf(at,
		"FunctionName", arn,
		"Action", cfn.TextOf(at, "lambda:InvokeFunction"),
		"Principal", cfn.TextOf(at, "apigateway.amazonaws.com")))
}

// LambdaURI is the integration URI of a function whose ARN is given.
func LambdaURI(at cfn.Place, arn *cfn.Value) *cfn.Value {
	return cfn.Join(at, "", cfn.TextOf(at, "arn:"), cfn.Ref(at, "AWS::Partition"), cfn.TextOf(at, ":apigateway:"), cfn.Ref(at, "AWS::Region"),
		cfn.TextOf(at, ":lambda:path/2015-03-31/functions/"), arn, cfn.TextOf(at, "/invocations"))
}

// FunctionMetadata is what a function's resource tells of its code: where it was written of, whether the code is to be bundled,
// and by which patterns files are chosen from the folder.
func FunctionMetadata(at cfn.Place, bundle bool, patterns []*cfn.Value) *cfn.Value {
	own := cfn.MapOf(at, "Place", cfn.TextOf(at, at.String()))
	if bundle {
		own.Keys = append(own.Keys, cfn.Entry{Key: "Bundle", Place: at, Value: cfn.BoolOf(at, true)})
	}
	if len(patterns) > 0 {
		own.Keys = append(own.Keys, cfn.Entry{Key: "Patterns", Place: at, Value: cfn.ListOf(at, patterns...)})
	}
	return cfn.MapOf(at, "cleat", own)
}

package stackapi

import (
	"encoding/json"

	"cleat/internal/cfn"
	"cleat/internal/control/stacks"
	"cleat/internal/store"
)

// Request is the body of ApplyStack.
type Request struct {
	Template   json.RawMessage   `json:"template"`         // a CloudFormation template
	Places     *cfn.Places       `json:"places,omitempty"` // of it; nil: faults name the lines of Template as it was sent
	Parameters map[string]string `json:"parameters,omitempty"`
	Region     string            `json:"region,omitempty"` // empty: the node's
	// Environment are variables that every function gets beneath its own.
	Environment map[string]string `json:"environment,omitempty"`

	template *cfn.Value
}

// Result is what ApplyStack and DeleteStack answer.
type Result struct {
	Name      string              `json:"name"`
	DryRun    bool                `json:"dryRun"`
	Changes   []stacks.Change     `json:"changes"`
	Stages    []Stage             `json:"stages,omitempty"`
	Outputs   []store.StackOutput `json:"outputs,omitempty"`
	APIKeys   []APIKey            `json:"apiKeys,omitempty"`
	Tables    []string            `json:"tables,omitempty"`    // of DynamoDB, which are not made
	LeftAlone []string            `json:"leftAlone,omitempty"` // types of resources, with their number
	Warnings  []Fault             `json:"warnings,omitempty"`
}

// Stage is a stage with the URLs at which clients reach it.
type Stage struct {
	APIID     string   `json:"apiId"`
	API       string   `json:"apiName,omitempty"`
	Name      string   `json:"stage"`
	Addresses []string `json:"addresses,omitempty"`
}

// APIKey is an API key of a stack. Its value is there where only Cleat knows it.
type APIKey struct {
	Name  string `json:"name"`
	ID    string `json:"id"`
	Value string `json:"value,omitempty"`
}

// Fault is a fault or a warning with its place.
type Fault struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
}

func faultsOf(all []cfn.Fault) []Fault {
	var out []Fault
	for _, f := range all {
		out = append(out, Fault{f.Place.File, f.Place.Line, f.Place.Column, f.Message})
	}
	return out
}

// Faults reads the body of an answer that refused a template; nil when it is of another error.
func Faults(body []byte) cfn.Faults {
	var said struct {
		Faults []Fault `json:"faults"`
	}
	if json.Unmarshal(body, &said) != nil {
		return nil
	}
	var out cfn.Faults
	for _, f := range said.Faults {
		out = append(out, cfn.Fault{Place: cfn.Place{File: f.File, Line: f.Line, Column: f.Column}, Message: f.Message})
	}
	return out
}

// List is what ListStacks answers.
type List struct {
	Stacks []Summary `json:"stacks"`
}

// Summary is a stack in a list.
type Summary struct {
	Name string `json:"name"`
}

// Description is what DescribeStack answers.
type Description struct {
	Name      string              `json:"name"`
	Resources []stacks.Resource   `json:"resources,omitempty"`
	Stages    []Stage             `json:"stages,omitempty"`
	Outputs   []store.StackOutput `json:"outputs,omitempty"`
}

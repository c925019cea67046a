package export

import (
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/cfn"
)

// shape says whose the keys of a member's value are.
type shape int

const (
	ofUser      shape = iota // the user's, all the way down
	ofStructure              // properties
	mapOfStructures
	listOfStructures
)

// shapes are the members whose values have properties of their own.
var shapes = map[string]shape{
	"defaultRouteSettings": ofStructure, "accessLogSettings": ofStructure, "routeSettings": mapOfStructures, "throttle": ofStructure, "quota": ofStructure,
	"apiStages": listOfStructures,
}

// propertiesOf are the members of definitions that CloudFormation has properties for, by type (spec control-plane §15).
var propertiesOf = map[string][]string{
	"Api": {"apiKeySelectionExpression", "description", "disableExecuteApiEndpoint", "disableSchemaValidation", "ipAddressType", "name", "protocolType", "routeSelectionExpression", "tags", "version"},
	"Route": {
		"apiKeyRequired", "authorizationType", "modelSelectionExpression", "operationName", "requestModels", "requestParameters", "routeKey",
		"routeResponseSelectionExpression",
	},
	"RouteResponse": {"modelSelectionExpression", "responseModels", "responseParameters", "routeResponseKey"},
	"Integration": {
		"connectionId", "connectionType", "contentHandlingStrategy", "credentialsArn", "description", "integrationMethod", "integrationType", "integrationUri",
		"passthroughBehavior", "payloadFormatVersion", "requestParameters", "requestTemplates", "templateSelectionExpression", "timeoutInMillis",
	},
	"IntegrationResponse": {"contentHandlingStrategy", "integrationResponseKey", "responseParameters", "responseTemplates", "templateSelectionExpression"},
	"Authorizer":          {"authorizerCredentialsArn", "authorizerType", "authorizerUri", "identitySource", "name"},
	"Model":               {"contentType", "description", "name"},
	"Stage":               {"accessLogSettings", "autoDeploy", "clientCertificateId", "defaultRouteSettings", "description", "routeSettings", "stageName", "stageVariables", "tags"},
}

// defaults are the values that members have anyway, by type.
var defaults = map[string]map[string]string{
	"Api":         {"apiKeySelectionExpression": defaultKeySelection, "ipAddressType": "ipv4"},
	"Route":       {"authorizationType": apigw.AuthorizationNone},
	"Integration": {"connectionType": "INTERNET", "passthroughBehavior": "WHEN_NO_MATCH", "payloadFormatVersion": "1.0", "timeoutInMillis": "29000"},
	"Model":       {"contentType": "application/json"},
}

// properties makes CloudFormation's properties of a definition of a type: its members in their order, without those that have the
// value that they would have anyway, and without those of skip. What names others by identifier is the caller's.
func properties(typ string, definition any, skip ...string) *cfn.Value {
	v := valueOf(definition)
	out := &cfn.Value{Kind: cfn.Map}
	for _, e := range v.Entries() {
		if slices.Contains(skip, e.Key) || !slices.Contains(propertiesOf[typ], e.Key) {
			continue
		}
		value := e.Value
		if e.Key == "tags" {
			value = withoutReserved(value)
		}
		value = shaped(value, shapeOf(e.Key, value))
		if text, isText := value.Scalar(); isAbsent(value) || isText && text == defaults[typ][e.Key] {
			continue
		}
		out.Keys = append(out.Keys, cfn.Entry{Key: cfn.PropertyName(e.Key), Value: value})
	}
	return out
}

// shapeOf knows the constraints of parameters by their values: those of integrations are texts.
func shapeOf(member string, v *cfn.Value) shape {
	if s, ok := shapes[member]; ok {
		return s
	}
	isConstraint := func(e cfn.Entry) bool { return e.Value.Is(cfn.Map) }
	if strings.HasSuffix(member, "Parameters") && slices.ContainsFunc(v.Entries(), isConstraint) {
		return mapOfStructures
	}
	return ofUser
}

func shaped(v *cfn.Value, s shape) *cfn.Value {
	switch s {
	case ofStructure:
		return structure(v)
	case mapOfStructures:
		out := &cfn.Value{Kind: cfn.Map}
		for _, e := range v.Entries() {
			out.Keys = append(out.Keys, cfn.Entry{Key: e.Key, Value: structure(e.Value)})
		}
		return out
	case listOfStructures:
		out := &cfn.Value{Kind: cfn.List}
		for _, item := range v.Items {
			out.Items = append(out.Items, structure(item))
		}
		return out
	default:
		return v
	}
}

// structure names the members of a structure as properties, those without effect left out.
func structure(v *cfn.Value) *cfn.Value {
	out := &cfn.Value{Kind: cfn.Map}
	for _, e := range v.Entries() {
		value := e.Value
		if e.Key == "throttle" { // of single routes
			value = shaped(value, mapOfStructures)
		}
		if e.Key != "required" && isAbsent(value) || e.Key == "loggingLevel" && value.Str() == "OFF" {
			continue
		}
		out.Keys = append(out.Keys, cfn.Entry{Key: cfn.PropertyName(e.Key), Value: value})
	}
	return out
}

// isAbsent tells a value that says no more than its absence would.
func isAbsent(v *cfn.Value) bool {
	switch {
	case v == nil || v.Kind == cfn.Null:
		return true
	case v.Kind == cfn.Map:
		return len(v.Keys) == 0
	case v.Kind == cfn.List:
		return false // no identity source is another thing than the default
	}
	return v.Text == "" || v.Kind == cfn.Bool && v.Text == "false" || v.Kind == cfn.Number && v.Text == "0"
}

// withoutReserved drops the tags that AWS's own services have set.
func withoutReserved(v *cfn.Value) *cfn.Value {
	out := &cfn.Value{Kind: cfn.Map}
	for _, e := range v.Entries() {
		if !strings.HasPrefix(e.Key, "aws:") {
			out.Keys = append(out.Keys, e)
		}
	}
	return out
}

// valueOf is a definition as a value, members in the order of their struct.
func valueOf(definition any) *cfn.Value {
	v, err := cfn.Parse("", mustJSON(definition))
	if err != nil {
		return &cfn.Value{Kind: cfn.Map} // not reached: it is JSON
	}
	return v
}

func text(s string) *cfn.Value  { return cfn.TextOf(cfn.Place{}, s) }
func ref(id string) *cfn.Value  { return function("Ref", text(id)) }
func sub(s string) *cfn.Value   { return function("Fn::Sub", text(s)) }
func escapeSub(s string) string { return strings.ReplaceAll(s, "${", "${!") }
func put(m *cfn.Value, key string, v *cfn.Value) {
	if v != nil {
		m.Keys = append(m.Keys, cfn.Entry{Key: key, Value: v})
	}
}

func function(name string, v *cfn.Value) *cfn.Value {
	return &cfn.Value{Kind: cfn.Map, Keys: []cfn.Entry{{Key: name, Value: v}}}
}

package control

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"cleat/internal/cfn"
)

// resourceType says which properties a CloudFormation resource may have (spec control-plane §15).
type resourceType struct {
	properties []string // that become members of the definition, by the same name with a small first letter
	handled    []string // that apply reads itself
	httpOnly   []string // that only HTTP APIs have
}

const apiGateway = "AWS::ApiGatewayV2::"

var resourceTypes = map[string]resourceType{
	"Api": {
		properties: []string{"ApiKeySelectionExpression", "Description", "DisableExecuteApiEndpoint", "DisableSchemaValidation", "IpAddressType", "Name", "ProtocolType", "RouteSelectionExpression", "Tags", "Version"},
		httpOnly:   []string{"BasePath", "Body", "BodyS3Location", "CorsConfiguration", "CredentialsArn", "FailOnWarnings", "RouteKey", "Target"},
	},
	"Route": {
		properties: []string{"ApiKeyRequired", "AuthorizationType", "AuthorizerId", "ModelSelectionExpression", "OperationName", "RequestModels", "RequestParameters", "RouteKey", "RouteResponseSelectionExpression", "Target"},
		handled:    []string{"ApiId"}, httpOnly: []string{"AuthorizationScopes"},
	},
	"RouteResponse": {
		properties: []string{"ModelSelectionExpression", "ResponseModels", "ResponseParameters", "RouteId", "RouteResponseKey"},
		handled:    []string{"ApiId"},
	},
	"Integration": {
		properties: []string{"ConnectionId", "ConnectionType", "ContentHandlingStrategy", "CredentialsArn", "Description", "IntegrationMethod", "IntegrationType", "IntegrationUri", "PassthroughBehavior", "PayloadFormatVersion", "RequestParameters", "RequestTemplates", "TemplateSelectionExpression", "TimeoutInMillis"},
		handled:    []string{"ApiId"}, httpOnly: []string{"IntegrationSubtype", "ResponseParameters", "TlsConfig"},
	},
	"IntegrationResponse": {
		properties: []string{"ContentHandlingStrategy", "IntegrationId", "IntegrationResponseKey", "ResponseParameters", "ResponseTemplates", "TemplateSelectionExpression"},
		handled:    []string{"ApiId"},
	},
	"Authorizer": {
		properties: []string{"AuthorizerCredentialsArn", "AuthorizerType", "AuthorizerUri", "IdentitySource", "Name"},
		// A time to live and an unused expression do no harm on AWS either.
		handled:  []string{"ApiId", "AuthorizerResultTtlInSeconds", "IdentityValidationExpression"},
		httpOnly: []string{"AuthorizerPayloadFormatVersion", "EnableSimpleResponses", "JwtConfiguration"},
	},
	"Model": {
		properties: []string{"ContentType", "Description", "Name"}, handled: []string{"ApiId", "Schema"},
	},
	"Deployment": {handled: []string{"ApiId", "Description", "StageName"}},
	"Stage": {
		properties: []string{"AccessLogSettings", "AutoDeploy", "DefaultRouteSettings", "DeploymentId", "Description", "RouteSettings", "StageName", "StageVariables", "Tags"},
		handled:    []string{"ApiId", "AccessPolicyId", "ClientCertificateId"},
	},
	"DomainName": {
		properties: []string{"DomainName", "DomainNameConfigurations", "RoutingMode", "Tags"}, handled: []string{"MutualTlsAuthentication"},
	},
	"ApiMapping": {properties: []string{"ApiId", "ApiMappingKey", "DomainName", "Stage"}},
}

// checkProperties refuses properties that a resource does not have.
func checkProperties(r *cfn.Resource, t resourceType, faults *cfn.Faults) {
	for _, e := range r.Properties.Entries() {
		switch {
		case slices.Contains(t.properties, e.Key), slices.Contains(t.handled, e.Key):
		case slices.Contains(t.httpOnly, e.Key):
			faults.Addf(e.Place, "%s: %s is for HTTP APIs; a WebSocket API has no such property", r.LogicalID, e.Key)
		default:
			faults.Addf(e.Place, "%s: extraneous key [%s] is not permitted; %s has %s", r.LogicalID, e.Key, r.Type, strings.Join(slices.Concat(t.handled, t.properties), ", "))
		}
	}
}

// decoder turns evaluated properties into a definition.
type decoder struct {
	of     string // the logical ID
	faults *cfn.Faults
}

// decode fills the struct behind into from a map of properties. Names are the JSON names of the struct's fields with a
// capital letter. Like CloudFormation it takes "5" for 5 and "true" for true, and 5 for "5".
func (d *decoder) decode(properties *cfn.Value, names []string, into any) {
	target := reflect.ValueOf(into).Elem()
	for _, e := range properties.Entries() {
		if !slices.Contains(names, e.Key) {
			continue
		}
		if field, ok := fieldOf(target, e.Key); ok {
			d.set(field, e.Value, e.Key)
		}
	}
}

// fieldOf finds the field of a property by its JSON name.
func fieldOf(target reflect.Value, property string) (reflect.Value, bool) {
	t := target.Type()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if capital(name) == property {
			return target.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// capital is the CloudFormation spelling of a JSON member.
func capital(name string) string {
	if name == "" {
		return ""
	}
	return string(unicode.ToUpper(rune(name[0]))) + name[1:]
}

func (d *decoder) fault(v *cfn.Value, what, want string) {
	d.faults.Addf(v.At(), "%s: %s must be %s, not %s", d.of, what, want, v.Kind)
}

// set puts v into a field; what names it.
func (d *decoder) set(field reflect.Value, v *cfn.Value, what string) {
	switch field.Kind() {
	case reflect.String:
		if s, ok := v.Scalar(); ok {
			field.SetString(s)
		} else {
			d.fault(v, what, "text")
		}
	case reflect.Bool:
		switch strings.ToLower(v.Str()) {
		case "true":
			field.SetBool(true)
		case "false":
			field.SetBool(false)
		default:
			d.fault(v, what, "true or false")
		}
	case reflect.Int:
		if n, err := strconv.Atoi(v.Str()); err == nil {
			field.SetInt(int64(n))
		} else {
			d.fault(v, what, "a whole number")
		}
	case reflect.Float64:
		if f, err := strconv.ParseFloat(v.Str(), 64); err == nil {
			field.SetFloat(f)
		} else {
			d.fault(v, what, "a number")
		}
	case reflect.Pointer:
		made := reflect.New(field.Type().Elem())
		d.set(made.Elem(), v, what)
		field.Set(made)
	case reflect.Struct:
		d.setStruct(field, v, what)
	case reflect.Slice:
		d.setSlice(field, v, what)
	case reflect.Map:
		d.setMap(field, v, what)
	default:
		d.fault(v, what, "absent")
	}
}

func (d *decoder) setStruct(field reflect.Value, v *cfn.Value, what string) {
	if !v.Is(cfn.Map) {
		d.fault(v, what, "a map")
		return
	}
	for _, e := range v.Keys {
		inner, ok := fieldOf(field, e.Key)
		if !ok {
			d.faults.Addf(e.Place, "%s: extraneous key [%s] is not permitted in %s", d.of, e.Key, what)
			continue
		}
		d.set(inner, e.Value, what+"."+e.Key)
	}
}

func (d *decoder) setSlice(field reflect.Value, v *cfn.Value, what string) {
	items := []*cfn.Value{v} // one alone counts as a list of it
	if v.Is(cfn.List) {
		items = v.Items
	}
	list := reflect.MakeSlice(field.Type(), len(items), len(items))
	for i, item := range items {
		d.set(list.Index(i), item, what)
	}
	field.Set(list)
}

func (d *decoder) setMap(field reflect.Value, v *cfn.Value, what string) {
	if !v.Is(cfn.Map) {
		d.fault(v, what, "a map")
		return
	}
	m := reflect.MakeMapWithSize(field.Type(), len(v.Keys))
	for _, e := range v.Keys {
		item := reflect.New(field.Type().Elem()).Elem()
		d.set(item, e.Value, what+"."+e.Key)
		m.SetMapIndex(reflect.ValueOf(e.Key), item)
	}
	field.Set(m)
}

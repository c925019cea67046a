package stacks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"cleat/internal/cfn"
	"cleat/internal/store"
)

// Action is what becomes of a resource of a stack.
type Action string

// The actions.
const (
	ActionCreate Action = "Create"
	ActionUpdate Action = "Update"
	// ActionReplace is an update of what CloudFormation cannot update in place (spec control-plane §15). Here the resource may
	// keep its identifier all the same.
	ActionReplace Action = "Replace"
	ActionDelete  Action = "Delete"
)

// Change is what becomes of one resource of a stack.
type Change struct {
	Action     Action           `json:"action"`
	LogicalID  string           `json:"logicalId"`
	Type       string           `json:"type"`                 // of CloudFormation
	PhysicalID string           `json:"physicalId,omitempty"` // after the change; before it where the resource is deleted
	Properties []PropertyChange `json:"properties,omitempty"` // of updates and replacements, ordered by name
}

// PropertyChange is one property that changes, or one entry of a property that is a map: "StageVariables.colour".
type PropertyChange struct {
	Name string `json:"name"`
	// Old and New are its values: texts as they are, everything else as JSON, empty where it is absent. Both are empty where
	// the property is a Secret.
	Old    string `json:"old,omitempty"`
	New    string `json:"new,omitempty"`
	Secret bool   `json:"secret,omitempty"`
}

// values are what the store holds, by key. What is absent is nil.
type values map[string]json.RawMessage

// valuesOf reads what a batch is about to change.
func (a *application) valuesOf(ctx context.Context, b *store.Batch) (values, error) {
	out := values{}
	for _, change := range b.Changes() {
		v, _, err := store.Get(ctx, a.store, store.Raw(change.Key))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, fmt.Errorf("read %s: %w", change.Key, err)
		}
		if err == nil {
			out[change.Key] = v
		}
	}
	return out, nil
}

// plan tells what a batch does to the resources of the stack: those of the template in its order, then those that leave it,
// by logical ID. What others would not notice (dates, where a function is written) is no change.
func (a *application) plan(b *store.Batch, before values) {
	written, deleted := values{}, map[string]bool{}
	for _, change := range b.Changes() {
		if change.Delete {
			deleted[change.Key] = true
		} else {
			written[change.Key] = change.Value
		}
	}
	replaced := map[string]bool{} // keys
	for _, r := range a.template.Resources {
		old, key := a.record.Resources[r.LogicalID], a.made[r.LogicalID]
		if key == "" {
			continue
		}
		c := Change{LogicalID: r.LogicalID, Type: r.Type, PhysicalID: physicalID(key, written[key])}
		switch {
		case old != "" && old != key && deleted[old] && before[old] != nil:
			c.Action = ActionReplace
			c.Properties = differences(r.Type, before[old], written[key])
			replaced[old] = true
		case written[key] == nil:
			continue
		case before[key] == nil:
			c.Action = ActionCreate
		default:
			c.Action, c.Properties = ActionUpdate, differences(r.Type, before[key], written[key])
			if len(c.Properties) == 0 {
				continue
			}
			if slices.ContainsFunc(c.Properties, func(p PropertyChange) bool { return slices.Contains(replacing[r.Type], p.Name) }) {
				c.Action = ActionReplace
			}
		}
		a.outcome.Changes = append(a.outcome.Changes, c)
	}
	wanted := a.wanted()
	for _, logicalID := range slices.Sorted(maps.Keys(a.record.Resources)) {
		key := a.record.Resources[logicalID]
		if before[key] == nil || !deleted[key] || replaced[key] || slices.Contains(wanted, key) || madeByApply(logicalID) {
			continue
		}
		a.outcome.Changes = append(a.outcome.Changes, Change{Action: ActionDelete, LogicalID: logicalID, Type: typeOfKey(key), PhysicalID: physicalID(key, before[key])})
	}
}

// madeByApply tells a logical ID that no template has: of automatic deployments, and of what a template only refers to.
func madeByApply(logicalID string) bool { return strings.Contains(logicalID, "/") }

// replacing are the properties that CloudFormation replaces a resource for, as far as its identifier does not tell.
var replacing = map[string][]string{
	apiGateway + "Api":                 {"ProtocolType"},
	apiGateway + "RouteResponse":       {"RouteId"},
	apiGateway + "IntegrationResponse": {"IntegrationId"},
	keyType:                            {"Name", "Value"},
}

// typesOfKeys are CloudFormation's types by the collections of a key, without the identifiers between them.
var typesOfKeys = map[string]string{
	"apis": apiGateway + "Api", "apis/routes": apiGateway + "Route", "apis/routeresponses": apiGateway + "RouteResponse",
	"apis/integrations": apiGateway + "Integration", "apis/integrationresponses": apiGateway + "IntegrationResponse",
	"apis/authorizers": apiGateway + "Authorizer", "apis/models": apiGateway + "Model", "apis/deployments": apiGateway + "Deployment",
	"apis/stages": apiGateway + "Stage", "functions": "AWS::Lambda::Function", "apikeys": keyType, "usageplans": planType,
	"usageplans/keys": planKeyType, "domainnames": typeDomainName, "domainnames/apimappings": typeMapping, "vpclinks": vpcLinkType,
}

func typeOfKey(key string) string {
	var collections []string
	for i, part := range strings.Split(key, "/") {
		if i%2 == 0 {
			collections = append(collections, part)
		}
	}
	return typesOfKeys[strings.Join(collections, "/")]
}

// physicalID is what Ref would give of what a key holds; value may be nil where the key says it all.
func physicalID(key string, value json.RawMessage) string {
	parts := strings.Split(key, "/")
	id := parts[len(parts)-1]
	switch {
	case parts[0] == "usageplans" && len(parts) == 4:
		return id + ":" + parts[1]
	case parts[0] == "domainnames" && len(parts) == 2:
		var d struct {
			DomainName string `json:"domainName"`
		}
		if json.Unmarshal(value, &d) == nil && d.DomainName != "" {
			return d.DomainName
		}
		return strings.NewReplacer("_", ".", "=", "*").Replace(id) // a host name has no _
	}
	return id
}

// unseen are members that nobody wrote: a resource that differs in them alone is as it was.
var unseen = []string{"createdDate", "lastUpdatedDate", "place", "deploymentStatus", "lastDeploymentStatusMessage", "autoDeployed", "definition", "functionArn", "apiEndpoint", "domainNameArn"}

// unseenOfFunctions are further ones of functions, which a node fills in.
var unseenOfFunctions = []string{"lastModified", "lastVersion", "version", "codeSize", "revisionId"}

// isSeen tells a member that somebody wrote.
func isSeen(typ, member string) bool {
	switch {
	case slices.Contains(unseen, member), typ == functionType && slices.Contains(unseenOfFunctions, member):
		return false
	}
	return typ != apiGateway+"Deployment" || member != "deploymentId"
}

// structures are members whose own members are properties, and no keys that the user chose.
var structures = []string{"defaultRouteSettings", "accessLogSettings", "throttle", "quota"}

// differences are the properties in which two values of a resource differ.
func differences(typ string, old, now json.RawMessage) []PropertyChange {
	var out []PropertyChange
	was, is := members(old), members(now)
	for _, name := range slices.Sorted(maps.Keys(merged(was, is))) {
		o, n := was[name], is[name]
		if string(o) == string(n) || !isSeen(typ, name) {
			continue
		}
		property := cfn.PropertyName(name)
		if typ == functionType && (name == "codeDir" || name == "codeSha256") {
			property = "Code"
		}
		inner, innerNow := members(o), members(n)
		if inner == nil && innerNow == nil || !isAbsentOrMap(o, inner) || !isAbsentOrMap(n, innerNow) {
			out = append(out, propertyChange(typ, property, o, n))
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(merged(inner, innerNow))) {
			if string(inner[key]) == string(innerNow[key]) {
				continue
			}
			shown := key
			if slices.Contains(structures, name) {
				shown = cfn.PropertyName(key)
			}
			out = append(out, propertyChange(typ, property+"."+shown, inner[key], innerNow[key]))
		}
	}
	return slices.CompactFunc(out, func(x, y PropertyChange) bool { return x.Name == y.Name && x.Name == "Code" })
}

func isAbsentOrMap(v json.RawMessage, inner map[string]json.RawMessage) bool {
	return len(v) == 0 || inner != nil
}

// members are the members of a JSON object; nil when v is none.
func members(v json.RawMessage) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	if len(v) == 0 || json.Unmarshal(v, &m) != nil {
		return nil
	}
	return m
}

func merged(x, y map[string]json.RawMessage) map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, len(x)+len(y))
	maps.Copy(out, x)
	maps.Copy(out, y)
	return out
}

const functionType = "AWS::Lambda::Function"

func propertyChange(typ, name string, old, now json.RawMessage) PropertyChange {
	if typ == keyType && name == "Value" || typ == functionType && strings.HasPrefix(name, "Environment") {
		return PropertyChange{Name: name, Secret: true}
	}
	if typ == functionType && name == "Timeout" {
		return PropertyChange{Name: name, Old: seconds(old), New: seconds(now)}
	}
	return PropertyChange{Name: name, Old: asText(old), New: asText(now)}
}

// asText is a JSON text without its quotes, anything else as it is.
func asText(v json.RawMessage) string {
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s
	}
	return string(v)
}

// seconds shows a duration as templates have it.
func seconds(v json.RawMessage) string {
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil || n == 0 {
		return ""
	}
	return strconv.FormatFloat(time.Duration(n).Seconds(), 'g', -1, 64)
}

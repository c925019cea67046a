package cfn

import (
	"regexp"
	"slices"
	"strings"
)

// Template is the view of a template value: its sections, checked for shape. It is read-only once made.
type Template struct {
	Value      *Value
	Resources  []*Resource // in the order written
	Parameters []*Parameter
	Conditions []Entry // name and expression
	Mappings   *Value
	Outputs    *Value
	Transform  *Value // named macros, such as AWS::Serverless-2016-10-31; they must have been expanded before

	resources map[string]*Resource
}

// Resource is one resource as written, its properties not yet evaluated.
type Resource struct {
	LogicalID  string
	Type       string
	Properties *Value // nil when there are none
	DependsOn  []string
	Condition  string // empty: unconditional
	Metadata   *Value
	Place      Place // of the logical ID
}

var logicalID = regexp.MustCompile(`^[A-Za-z0-9]{1,255}$`)

// sections are those that CloudFormation knows.
var sections = []string{
	"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Mappings", "Conditions", "Rules", "Transform", "Resources", "Outputs", "Globals", "Hooks",
}

// ReadTemplate makes the view of a template. Its error is Faults: unknown sections, resources without a type,
// references of DependsOn and Condition that lead nowhere.
func ReadTemplate(v *Value) (*Template, error) {
	var faults Faults
	if !v.Is(Map) {
		faults.Addf(v.At(), "a template must be a map with a section Resources")
		return nil, faults
	}
	t := &Template{
		Value: v, Mappings: v.Get("Mappings"), Outputs: v.Get("Outputs"), Transform: v.Get("Transform"),
		resources: map[string]*Resource{},
	}
	for _, e := range v.Keys {
		if !slices.Contains(sections, e.Key) {
			faults.Addf(e.Place, "invalid template section %q: want one of %s", e.Key, strings.Join(sections, ", "))
		}
	}
	section := func(name string, required bool) []Entry {
		s := v.Get(name)
		switch {
		case s.Is(Map):
			return s.Keys
		case required:
			faults.Addf(v.Place, "the template has no %s section, or it is no map", name)
		case s != nil && s.Kind != Null:
			faults.Addf(s.Place, "%s must be a map", name)
		}
		return nil
	}
	for _, e := range section("Parameters", false) {
		t.addParameter(e, &faults)
	}
	t.Conditions = section("Conditions", false)
	for _, e := range section("Mappings", false) {
		checkLiteral(e.Key, e.Value, &faults)
	}
	section("Outputs", false)
	for _, e := range section("Resources", true) {
		t.addResource(e, &faults)
	}
	t.checkReferences(&faults)
	return t, faults.Err()
}

// checkLiteral holds a mapping to CloudFormation's rule: no functions. One that looked itself up would never end.
func checkLiteral(mapping string, v *Value, faults *Faults) {
	if f, ok := intrinsic(v); ok {
		faults.Addf(f.Place, "mapping %s: %s has no place in Mappings, whose values are literal", mapping, f.Key)
		return
	}
	if v == nil {
		return
	}
	for _, item := range v.Items {
		checkLiteral(mapping, item, faults)
	}
	for _, e := range v.Keys {
		checkLiteral(mapping, e.Value, faults)
	}
}

// Resource returns the resource of a logical ID, nil when there is none.
func (t *Template) Resource(id string) *Resource { return t.resources[id] }

// attributes are what a resource may have beside its properties.
var attributes = []string{"Type", "Properties", "DependsOn", "Condition", "Metadata", "DeletionPolicy", "UpdateReplacePolicy", "CreationPolicy", "UpdatePolicy"}

func (t *Template) addResource(e Entry, faults *Faults) {
	r := &Resource{
		LogicalID: e.Key, Type: e.Value.Get("Type").Str(), Properties: e.Value.Get("Properties"),
		Condition: e.Value.Get("Condition").Str(), Metadata: e.Value.Get("Metadata"), Place: e.Place,
	}
	switch {
	case strings.HasPrefix(e.Key, "Fn::"):
		faults.Addf(e.Place, "%s among the resources is not supported", e.Key)
		return
	case !logicalID.MatchString(e.Key):
		faults.Addf(e.Place, "logical ID %.40q: want 1 to 255 letters and digits", e.Key)
	case !e.Value.Is(Map):
		faults.Addf(e.Place, "resource %s must be a map", e.Key)
		return
	case r.Type == "":
		faults.Addf(e.Place, "resource %s has no Type", e.Key)
	}
	if r.Properties != nil && r.Properties.Kind == Null {
		r.Properties = nil
	}
	if r.Properties != nil && r.Properties.Kind != Map {
		faults.Addf(r.Properties.Place, "Properties of %s must be a map", e.Key)
		r.Properties = nil
	}
	for _, a := range e.Value.Keys {
		if !slices.Contains(attributes, a.Key) {
			faults.Addf(a.Place, "resource %s: invalid attribute %q: want one of %s", e.Key, a.Key, strings.Join(attributes, ", "))
		}
	}
	r.addDependsOn(e.Value.Get("DependsOn"), faults)
	t.Resources = append(t.Resources, r)
	t.resources[r.LogicalID] = r
}

func (r *Resource) addDependsOn(v *Value, faults *Faults) {
	switch {
	case v == nil:
	case v.Kind == String:
		r.DependsOn = []string{v.Text}
	case v.Kind == List:
		for _, item := range v.Items {
			if item.Is(String) {
				r.DependsOn = append(r.DependsOn, item.Text)
			} else {
				faults.Addf(item.At(), "DependsOn of %s must hold logical IDs", r.LogicalID)
			}
		}
	default:
		faults.Addf(v.Place, "DependsOn of %s must be a logical ID or a list of them", r.LogicalID)
	}
}

func (t *Template) checkReferences(faults *Faults) {
	for _, r := range t.Resources {
		for _, id := range r.DependsOn {
			if t.resources[id] == nil {
				faults.Addf(r.Place, "resource %s depends on %s, which is not in the template", r.LogicalID, id)
			}
		}
		if r.Condition != "" && !slices.ContainsFunc(t.Conditions, func(e Entry) bool { return e.Key == r.Condition }) {
			faults.Addf(r.Place, "resource %s has the condition %s, which is not in the template", r.LogicalID, r.Condition)
		}
	}
}

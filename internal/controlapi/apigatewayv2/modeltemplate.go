package apigatewayv2

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// schema is what a sample needs of a JSON schema. What it says besides, and what cannot be read, is passed over.
type schema struct {
	Type       json.RawMessage            `json:"type"`
	Properties map[string]json.RawMessage `json:"properties"`
	Items      json.RawMessage            `json:"items"`
}

// modelTemplate is a mapping template to begin with: it walks a model's schema and gives each value of a message in its
// place (spec control-plane §9).
func modelTemplate(text string) string {
	w := templateWriter{}
	w.b.WriteString("#set($inputRoot = $input.path('$'))\n")
	w.value(json.RawMessage(text), "$inputRoot", 0)
	w.b.WriteString("\n")
	return w.b.String()
}

type templateWriter struct {
	b     strings.Builder
	loops int
}

// value writes what stands for one value; from is the reference to it.
func (w *templateWriter) value(text json.RawMessage, from string, depth int) {
	var s schema
	if err := json.Unmarshal(text, &s); err != nil {
		s = schema{} // such as a boolean, or the list of a tuple: anything may be there
	}
	kind := ""
	if err := json.Unmarshal(s.Type, &kind); err != nil && s.Properties != nil {
		kind = "object"
	}
	switch kind {
	case "object":
		w.object(s.Properties, from, depth)
	case "array":
		w.array(s.Items, from, depth)
	case "integer", "number", "boolean":
		w.b.WriteString(from)
	case "null":
		w.b.WriteString("null")
	default:
		w.b.WriteString(`"` + from + `"`)
	}
}

func (w *templateWriter) object(properties map[string]json.RawMessage, from string, depth int) {
	w.b.WriteString("{")
	separator := "\n"
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if !isReferenceName(name) {
			continue // no template can refer to it by this name
		}
		w.b.WriteString(separator + indent(depth+1) + `"` + name + `" : `)
		w.value(properties[name], from+"."+name, depth+1)
		separator = ",\n"
	}
	w.b.WriteString("\n" + indent(depth) + "}")
}

func (w *templateWriter) array(items json.RawMessage, from string, depth int) {
	w.loops++
	elem := "$elem" + strconv.Itoa(w.loops)
	w.b.WriteString("[\n#foreach(" + elem + " in " + from + ")\n" + indent(depth+1))
	w.value(items, elem, depth+1)
	w.b.WriteString("#if($foreach.hasNext),#end\n#end\n" + indent(depth) + "]")
}

func indent(depth int) string { return strings.Repeat("  ", depth) }

// isReferenceName tells whether a name can follow the point of a reference.
func isReferenceName(name string) bool {
	for i, c := range name {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return name != ""
}

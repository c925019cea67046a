package cfn

import (
	"bytes"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Parse reads YAML or JSON into a Value. file names the text in places. CloudFormation's short forms become their long
// ones: "!Ref x" is {"Ref": "x"}, "!GetAtt a.b" is {"Fn::GetAtt": ["a", "b"]}, any other "!F v" is {"Fn::F": v}. Anchors,
// aliases and merge keys are resolved. An empty text is a nil Value. The error is Faults, with lines.
func Parse(file string, text []byte) (*Value, error) {
	if looksLikeJSON(text) {
		return parseJSON(file, text)
	}
	if strings.HasSuffix(file, ".json") && len(bytes.TrimSpace(text)) > 0 {
		return nil, jsonFault(file, text)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, syntaxFault(file, err)
	}
	if doc.Kind == 0 || len(doc.Content) == 0 {
		return nil, nil
	}
	p := parser{file: file}
	v := p.value(doc.Content[0], 0)
	return v, p.faults.Err()
}

const (
	maxDepth = 100     // of nesting, aliases included
	maxNodes = 200_000 // of a whole text, aliases counted as often as they are used
)

// budget bounds what is read of one text.
type budget struct {
	nodes    int
	exceeded bool
}

// spend reports whether one more value at this depth is within bounds.
func (b *budget) spend(depth int) bool {
	b.nodes++
	return depth <= maxDepth && b.nodes <= maxNodes
}

// fault says once that the bounds are exceeded.
func (b *budget) fault(faults *Faults, at Place) {
	if !b.exceeded {
		faults.Addf(at, "too deeply nested or too large: at most %d levels and %d values, aliases counted at each use", maxDepth, maxNodes)
	}
	b.exceeded = true
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?(?:yaml: )?(.*)$`)

func syntaxFault(file string, err error) error {
	var faults Faults
	texts := []string{err.Error()}
	if te, ok := errors.AsType[*yaml.TypeError](err); ok {
		texts = te.Errors
	}
	for _, text := range texts {
		m := yamlLine.FindStringSubmatch(strings.ReplaceAll(text, "\n", " "))
		if m == nil {
			m = []string{"", "", text}
		}
		line, _ := strconv.Atoi(m[1]) // absent is 0: unknown
		faults.Addf(Place{File: file, Line: line}, "not valid YAML: %s", m[2])
	}
	return faults
}

type parser struct {
	file   string
	budget budget
	faults Faults
}

func (p *parser) place(n *yaml.Node) Place { return Place{p.file, n.Line, n.Column} }

func (p *parser) value(n *yaml.Node, depth int) *Value {
	at := p.place(n)
	if p.budget.exceeded || !p.budget.spend(depth) {
		p.budget.fault(&p.faults, at)
		return &Value{Place: at}
	}
	if n.Kind == yaml.AliasNode {
		return p.value(n.Alias, depth+1)
	}
	if name, ok := shortForm(n.Tag); ok {
		plain := *n
		plain.Tag = ""
		return &Value{Kind: Map, Place: at, Keys: []Entry{{name, at, p.shortValue(name, &plain, depth)}}}
	}
	switch n.Kind {
	case yaml.SequenceNode:
		v := &Value{Kind: List, Place: at}
		for _, c := range n.Content {
			v.Items = append(v.Items, p.value(c, depth+1))
		}
		return v
	case yaml.MappingNode:
		return p.mapping(n, depth)
	default: // aliases are gone, and a document is never inside another
		return p.scalar(n)
	}
}

// shortForm returns the long name of a short-form tag.
func shortForm(tag string) (string, bool) {
	name, ok := strings.CutPrefix(tag, "!")
	switch {
	case !ok || name == "" || strings.HasPrefix(name, "!"):
		return "", false
	case name == "Ref" || name == "Condition":
		return name, true
	}
	return "Fn::" + name, true
}

func (p *parser) shortValue(name string, n *yaml.Node, depth int) *Value {
	v := p.value(n, depth+1)
	if name == "Fn::GetAtt" && v.Kind != List {
		if id, attr, ok := strings.Cut(v.Text, "."); ok {
			return ListOf(v.Place, TextOf(v.Place, id), TextOf(v.Place, attr))
		}
	}
	return v
}

func (p *parser) mapping(n *yaml.Node, depth int) *Value {
	v := &Value{Kind: Map, Place: p.place(n)}
	var merged []Entry
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		switch {
		case key.Tag == "!!merge":
			m := p.value(val, depth+1)
			if m.Kind == Map {
				merged = append(merged, m.Keys...)
			}
			for _, item := range m.Items {
				merged = append(merged, item.Keys...)
			}
		case key.Kind != yaml.ScalarNode:
			p.faults.Addf(p.place(key), "a map's key must be text")
		default:
			if seen[key.Value] {
				p.faults.Addf(p.place(key), "%q is given twice", key.Value)
			}
			seen[key.Value] = true
			v.Keys = append(v.Keys, Entry{key.Value, p.place(key), p.value(val, depth+1)})
		}
	}
	for _, e := range merged { // what the map says itself, or an earlier merge, goes before
		if !seen[e.Key] {
			seen[e.Key] = true
			v.Keys = append(v.Keys, e)
		}
	}
	return v
}

func (p *parser) scalar(n *yaml.Node) *Value {
	v := &Value{Kind: String, Text: n.Value, Place: p.place(n)}
	switch n.ShortTag() {
	case "!!null":
		v.Kind, v.Text = Null, ""
	case "!!bool":
		v.Kind, v.Text = Bool, strings.ToLower(n.Value)
	case "!!int", "!!float":
		v.Kind = Number
	}
	return v
}

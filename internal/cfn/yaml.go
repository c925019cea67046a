package cfn

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// YAML writes a value as YAML that Parse, and any reader of YAML 1.1 or 1.2, reads back as the same: keys in order, with
// CloudFormation's short forms (!Ref, !Sub, …), texts of several lines as blocks. A nil Value is null.
func (v *Value) YAML() ([]byte, error) {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(v.yamlNode()); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	return out.Bytes(), nil
}

func (v *Value) yamlNode() *yaml.Node {
	if v == nil {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	}
	switch v.Kind {
	case Bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: v.Text}
	case Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: v.Text}
	case String:
		return yamlText(v.Text)
	case List:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		if len(v.Items) == 0 {
			n.Style = yaml.FlowStyle
		}
		for _, item := range v.Items {
			n.Content = append(n.Content, item.yamlNode())
		}
		return n
	case Map:
		return v.yamlMap()
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	}
}

func (v *Value) yamlMap() *yaml.Node {
	if tag, inner := v.shortForm(); tag != "" {
		n := inner.yamlNode()
		n.Tag = tag
		return n
	}
	n := &yaml.Node{Kind: yaml.MappingNode}
	if len(v.Keys) == 0 {
		n.Style = yaml.FlowStyle
	}
	for _, e := range v.Keys {
		n.Content = append(n.Content, yamlText(e.Key), e.Value.yamlNode())
	}
	return n
}

// shortForm is the tag of a function that has a short form, and what stands behind it.
func (v *Value) shortForm() (tag string, inner *Value) {
	if len(v.Keys) != 1 {
		return "", nil
	}
	e := v.Keys[0]
	switch name, isFunction := strings.CutPrefix(e.Key, "Fn::"); {
	case e.Key == "Ref" && e.Value.Is(String):
		return "!Ref", e.Value
	case name == "GetAtt" && isAttribute(e.Value):
		return "!GetAtt", TextOf(e.Place, e.Value.Items[0].Text+"."+e.Value.Items[1].Text)
	case isFunction && (name == "Sub" || name == "Join" || name == "If" || name == "Select" || name == "Split") && !isOneFunction(e.Value):
		return "!" + name, e.Value
	}
	return "", nil
}

// isAttribute tells the argument of Fn::GetAtt that has a form with a dot.
func isAttribute(v *Value) bool {
	return v.Is(List) && len(v.Items) == 2 && v.Items[0].Is(String) && v.Items[1].Is(String)
}

// isOneFunction tells a value that would be a second tag on one node, which YAML has not, or that no tag fits.
func isOneFunction(v *Value) bool {
	return v == nil || v.Kind == Null || v.Is(Map)
}

// plainText is what no reader of YAML takes for anything but text; everything else is quoted.
var plainText = regexp.MustCompile(`^[A-Za-z$/](?:[A-Za-z0-9_$./{}-]|:+[A-Za-z0-9_$./-]| [A-Za-z0-9_$./-])*$`)

// words are those that YAML 1.1 takes for something else.
var words = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false|null)$`)

func yamlText(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	switch {
	case isBlock(s):
		n.Style = yaml.LiteralStyle
	case words.MatchString(s), !plainText.MatchString(s):
		n.Style = yaml.SingleQuotedStyle
		if strings.ContainsFunc(s, func(r rune) bool {
			return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029' || r == '\ufeff'
		}) {
			n.Style = yaml.DoubleQuotedStyle
		}
	}
	return n
}

// isBlock tells a text of several lines that a block holds without loss.
func isBlock(s string) bool {
	if !strings.Contains(strings.TrimRight(s, "\n"), "\n") || s[0] == ' ' || s[0] == '\n' || strings.HasSuffix(s, "\n\n") {
		return false
	}
	for line := range strings.Lines(s) {
		if strings.HasSuffix(strings.TrimSuffix(line, "\n"), " ") {
			return false // the writer would quote it anyway, less legibly
		}
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' && r != '\n' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\ufeff' || r == '\u2028' || r == '\u2029'
	})
}

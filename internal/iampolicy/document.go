package iampolicy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Bounds of a document. AWS allows 6,144 characters for a managed policy, 10,240 for a role's own and 8 KB for what an
// authorizer returns; ours only keep memory in bounds.
const (
	maxDocument = 64 << 10
	maxDepth    = 8
)

// kind is what a JSON value is.
type kind int

const (
	isNull kind = iota
	isText
	isNumber
	isBool
	isList
	isMap
)

func (k kind) String() string {
	return [...]string{"null", "a text", "a number", "true or false", "a list", "an object"}[k]
}

// node is a JSON value with its members in their order. encoding/json's own maps would keep the last of two members of
// one name in silence, and which one counts is what a policy must not leave open.
type node struct {
	kind    kind
	text    string
	items   []node
	members []member
}

type member struct {
	name  string
	value node
}

func (n *node) get(name string) *node {
	for i := range n.members {
		if n.members[i].name == name {
			return &n.members[i].value
		}
	}
	return nil
}

// list is the value itself, or what it lists: IAM lets one stand for a list of one.
func (n *node) list() []node {
	if n.kind == isList {
		return n.items
	}
	return []node{*n}
}

// readNode reads a whole document. Its errors name line and column.
func readNode(document []byte) (*node, error) {
	if len(document) > maxDocument {
		return nil, fmt.Errorf("a policy document has at most %d bytes, this one has %d", maxDocument, len(document))
	}
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	n, err := readValue(d, maxDepth)
	if err == nil {
		if _, end := d.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("there is more after the document's end")
		}
	}
	if err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("the document ends too early")
		}
		offset := d.InputOffset()
		if s, ok := errors.AsType[*json.SyntaxError](err); ok {
			offset = s.Offset
		}
		line, column := position(document, offset)
		return nil, fmt.Errorf("line %d, column %d: %w", line, column, err)
	}
	return n, nil
}

func position(document []byte, offset int64) (line, column int) {
	before := document[:min(int(offset), len(document))]
	return 1 + bytes.Count(before, []byte("\n")), len(before) - bytes.LastIndexByte(before, '\n')
}

func readValue(d *json.Decoder, depth int) (*node, error) {
	if depth == 0 {
		return nil, errors.New("the document is nested too deeply for a policy")
	}
	token, err := d.Token()
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller adds the place
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '[' {
			return readList(d, depth)
		}
		return readMap(d, depth)
	case string:
		return &node{kind: isText, text: t}, nil
	case json.Number:
		return &node{kind: isNumber, text: t.String()}, nil
	case bool:
		return &node{kind: isBool, text: fmt.Sprint(t)}, nil
	}
	return &node{kind: isNull}, nil
}

func readList(d *json.Decoder, depth int) (*node, error) {
	n := &node{kind: isList}
	for d.More() {
		item, err := readValue(d, depth-1)
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, *item)
	}
	_, err := d.Token()
	return n, err //nolint:wrapcheck // the caller adds the place
}

func readMap(d *json.Decoder, depth int) (*node, error) {
	n := &node{kind: isMap}
	names := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err //nolint:wrapcheck // the caller adds the place
		}
		name, ok := token.(string)
		if !ok { // not reached: the decoder has seen to it
			return nil, fmt.Errorf("%v is no member's name", token)
		}
		if names[name] {
			return nil, fmt.Errorf("%q stands here twice", name)
		}
		names[name] = true
		value, err := readValue(d, depth-1)
		if err != nil {
			return nil, err
		}
		n.members = append(n.members, member{name, *value})
	}
	_, err := d.Token()
	return n, err //nolint:wrapcheck // the caller adds the place
}

// Elements of documents and statements.
var (
	documentElements  = []string{"Version", "Id", "Statement"}
	statementElements = []string{"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
	versions          = []string{"2012-10-17", "2008-10-17"}
)

// compiler turns a document into a policy, collecting faults.
type compiler struct {
	use       Use
	variables bool // the version has policy variables
	faults    Faults
}

// Parse compiles a policy document in JSON. The error is Faults where the document is JSON but no policy.
func Parse(document []byte, use Use) (*Policy, error) {
	root, err := readNode(document)
	if err != nil {
		return nil, fmt.Errorf("read the policy document: %w", err)
	}
	c := compiler{use: use}
	p := c.policy(root)
	if len(c.faults) > 0 {
		return nil, c.faults
	}
	p.context = slices.ContainsFunc(p.statements, func(s statement) bool {
		return len(s.conditions) > 0 || slices.ContainsFunc(s.resources, func(r pattern) bool { return r.variables })
	})
	return p, nil
}

func (c *compiler) policy(root *node) *Policy {
	p := &Policy{}
	if root.kind != isMap {
		c.faults.addf("", "a policy document is an object with Version and Statement, not %s", root.kind)
		return p
	}
	c.checkElements("", root, documentElements)
	// Without a version a document is one of 2008, which has no policy variables.
	if v := root.get("Version"); v != nil {
		if v.kind != isText || !slices.Contains(versions, v.text) {
			c.faults.addf("Version", "must be \"2012-10-17\" or \"2008-10-17\", not %s", v.shown())
		}
		c.variables = v.text == versions[0]
	}
	statements := root.get("Statement")
	if statements == nil {
		c.faults.addf("Statement", "is missing")
		return p
	}
	for i, s := range statements.list() {
		place := "Statement"
		if statements.kind == isList {
			place = fmt.Sprintf("Statement[%d]", i)
		}
		if s.kind != isMap {
			c.faults.addf(place, "must be an object, not %s", s.shown())
			continue
		}
		p.statements = append(p.statements, c.statement(place, i, &s))
	}
	return p
}

// shown is a value within a message.
func (n *node) shown() string {
	if n.kind == isText {
		const most = 100
		if len(n.text) > most {
			return fmt.Sprintf("%.*q…", most, n.text)
		}
		return fmt.Sprintf("%q", n.text)
	}
	return n.kind.String()
}

func (c *compiler) checkElements(place string, n *node, known []string) {
	for _, m := range n.members {
		if slices.Contains(known, m.name) {
			continue
		}
		hint := ""
		for _, k := range known {
			if strings.EqualFold(strings.TrimSuffix(k, "s"), strings.TrimSuffix(m.name, "s")) {
				hint = fmt.Sprintf(" (did you mean %s?)", k)
			}
		}
		c.faults.addf(place, "%q is no element of a policy%s", m.name, hint)
	}
}

func (c *compiler) statement(place string, index int, n *node) statement {
	s := statement{label: fmt.Sprintf("statement %d", index+1)}
	c.checkElements(place, n, statementElements)
	if sid := n.get("Sid"); sid != nil && sid.kind != isText {
		c.faults.addf(place+".Sid", "must be a text, not %s", sid.kind)
	} else if sid != nil && sid.text != "" {
		s.label = fmt.Sprintf("statement %q", sid.text)
	}
	switch effect := n.get("Effect"); {
	case effect == nil:
		c.faults.addf(place+".Effect", "is missing: Allow or Deny")
	case effect.kind == isText && effect.text == "Deny":
		s.deny = true
	case effect.kind != isText || effect.text != "Allow":
		c.faults.addf(place+".Effect", "must be \"Allow\" or \"Deny\", not %s", effect.shown())
	}
	if c.use == UseIdentity {
		for _, name := range []string{"Principal", "NotPrincipal"} {
			if n.get(name) != nil {
				c.faults.addf(place+"."+name, "has no place in a policy that belongs to a user: leave it out")
			}
		}
	}
	actions, actionPlace := c.either(place, n, "Action", "NotAction", &s.notAction)
	for _, a := range actions {
		if p, ok := c.action(actionPlace, &a); ok {
			s.actions = append(s.actions, p)
		}
	}
	resources, resourcePlace := c.either(place, n, "Resource", "NotResource", &s.notResource)
	for _, r := range resources {
		if p, ok := c.resource(resourcePlace, &r); ok {
			s.resources = append(s.resources, p)
		}
	}
	if v := n.get("Condition"); v != nil {
		s.conditions = c.conditions(place+".Condition", v)
	}
	return s
}

// either returns what one of two elements lists, and its place; exactly one must be there.
func (c *compiler) either(place string, n *node, name, notName string, negated *bool) ([]node, string) {
	v, not := n.get(name), n.get(notName)
	switch {
	case v != nil && not != nil:
		c.faults.addf(place, "has both %s and %s: one of them", name, notName)
		return nil, ""
	case not != nil:
		v, name, *negated = not, notName, true
	case v == nil:
		c.faults.addf(place+"."+name, "is missing")
		return nil, ""
	}
	if v.kind == isList && len(v.items) == 0 {
		c.faults.addf(place+"."+name, "must not be empty")
	}
	return v.list(), place + "." + name
}

func (c *compiler) action(place string, n *node) (pattern, bool) {
	if n.kind != isText {
		c.faults.addf(place, "must be a text or a list of texts, not %s", n.kind)
		return pattern{}, false
	}
	service, name, ok := strings.Cut(n.text, ":")
	if n.text != "*" && (!ok || service == "" || name == "") {
		c.faults.addf(place, "%s is no action: a service and a name, as in \"execute-api:Invoke\", or \"*\"", n.shown())
		return pattern{}, false
	}
	return compilePattern(n.text), true
}

func (c *compiler) resource(place string, n *node) (pattern, bool) {
	switch {
	case n.kind != isText:
		c.faults.addf(place, "must be a text or a list of texts, not %s", n.kind)
		return pattern{}, false
	case c.use == UseIdentity && n.text != "*" && (!strings.HasPrefix(n.text, "arn:") || strings.Count(n.text, ":") < 5 && !strings.HasSuffix(n.text, "*")):
		c.faults.addf(place, "%s is no resource: an ARN, as in \"arn:aws:execute-api:*:*:*/@connections/*\", or \"*\"", n.shown())
		return pattern{}, false
	}
	return c.text(place, n.text)
}

// text compiles a text in which policy variables may stand.
func (c *compiler) text(place, text string) (pattern, bool) {
	if !c.variables {
		return compilePattern(text), true
	}
	p, err := compileTemplate(text)
	if err != nil {
		c.faults.addf(place, "%v", err)
		return pattern{}, false
	}
	return p, true
}

package model

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/tidwall/gjson"

	"cleat/internal/apigw"
	"cleat/internal/jsonpath"
)

// Bounds of a schema.
const (
	MaxSchema      = 32 << 10 // bytes (spec control-plane §9)
	maxSchemaDepth = 64       // of its JSON
	maxExponent    = 300      // of a number in it
)

// urlPrefix is how a schema begins to refer to another model of its API, up to the API's ID: the whole is
// https://apigateway.amazonaws.com/restapis/{apiId}/models/{name}.
const urlPrefix = "https://apigateway.amazonaws.com/restapis/"

var modelURL = regexp.MustCompile(`^` + regexp.QuoteMeta(urlPrefix) + `[^/]+/models/([a-zA-Z0-9]+)$`)

// ownURL is where a model is while it is compiled.
func ownURL(name string) string { return urlPrefix + "-/models/" + name }

// Set is the models of one API, which may refer to one another. It is immutable and safe for concurrent use.
type Set struct {
	schemas map[string]string // by name
}

// NewSet returns the set of an API's models.
func NewSet(models []apigw.Model) *Set {
	s := &Set{schemas: make(map[string]string, len(models))}
	for i := range models {
		s.schemas[models[i].Name] = models[i].Schema
	}
	return s
}

// Model is one compiled model. It is immutable but for a store of spare buffers, and safe for concurrent use.
type Model struct {
	root  *schema
	spare sync.Pool // of *validation
}

// Compile compiles the model of that name with all that it refers to. The error says what is wrong and where in the
// schema, as a JSON pointer.
func (s *Set) Compile(name string) (*Model, error) {
	text, ok := s.schemas[name]
	if !ok {
		return nil, fmt.Errorf("there is no model %q", name)
	}
	doc, err := readSchema(text)
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4)
	c.UseLoader(loader{s})
	c.UseRegexpEngine(compilePattern)
	if err := c.AddResource(ownURL(name), doc); err != nil {
		return nil, inWords(err)
	}
	compiled, err := c.Compile(ownURL(name))
	if err != nil {
		return nil, inWords(err)
	}
	t := translator{done: map[*jsonschema.Schema]*schema{}}
	m := &Model{root: t.schema(compiled)}
	m.spare.New = func() any { return new(validation) }
	if t.fault != nil {
		return nil, t.fault
	}
	return m, findLoop(m.root, t.done)
}

// loader finds the models that a schema refers to.
type loader struct{ set *Set }

// Load implements jsonschema.URLLoader. The API's ID is of no account: a project brings that of its API on AWS.
func (l loader) Load(url string) (any, error) {
	m := modelURL.FindStringSubmatch(url)
	if m == nil {
		return nil, fmt.Errorf("it is no model of this API: want %s{apiId}/models/{name}, or #/definitions/{name} in the schema itself", urlPrefix)
	}
	text, ok := l.set.schemas[m[1]]
	if !ok {
		return nil, fmt.Errorf("there is no model %q", m[1])
	}
	doc, err := readSchema(text)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", m[1], err)
	}
	return doc, nil
}

// readSchema reads the text of a schema and refuses what would make compiling it dear.
func readSchema(text string) (any, error) {
	switch {
	case len(text) > MaxSchema:
		return nil, fmt.Errorf("the schema has %d bytes, more than %d", len(text), MaxSchema)
	case !jsonpath.Valid([]byte(text)):
		return nil, notJSON(text)
	case !gjson.Parse(text).IsObject():
		return nil, errors.New("the schema is not a JSON object")
	}
	if err := checkShape(text); err != nil {
		return nil, err
	}
	if dialect := gjson.Get(text, `\$schema`); dialect.Type == gjson.String && !isDraft4(dialect.String()) {
		return nil, fmt.Errorf("$schema is %q: models are JSON Schema draft-04, http://json-schema.org/draft-04/schema#", dialect.String())
	}
	return jsonschema.UnmarshalJSON(strings.NewReader(text))
}

func isDraft4(url string) bool {
	url = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(url, "http://"), "https://"), "#")
	return url == "json-schema.org/draft-04/schema"
}

func notJSON(text string) error {
	if _, err := jsonschema.UnmarshalJSON(strings.NewReader(text)); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errors.New("the schema is not valid JSON: it ends too early")
		}
		return fmt.Errorf("the schema is not valid JSON: %w", err)
	}
	return errors.New("the schema is not valid JSON")
}

// checkShape bounds the depth of valid JSON and the exponents of its numbers.
func checkShape(text string) error {
	var d document
	switch err := d.parse([]byte(text)); {
	case errors.Is(err, errTooDeep), d.deepest > maxSchemaDepth:
		return fmt.Errorf("the schema is nested deeper than %d levels", maxSchemaDepth)
	case err != nil:
		return err
	}
	for i := range d.nodes {
		n := &d.nodes[i]
		if n.kind != number {
			continue
		}
		raw := text[n.start:n.end]
		if e := strings.IndexAny(raw, "eE"); e >= 0 {
			if exponent, err := strconv.Atoi(raw[e+1:]); err != nil || exponent > maxExponent || exponent < -maxExponent {
				return fmt.Errorf("the number %.40s is out of any reasonable range", raw)
			}
		}
	}
	return nil
}

// inWords makes one line of what the library says.
func inWords(err error) error {
	if bad, ok := errors.AsType[*jsonschema.LoadURLError](err); ok {
		return fmt.Errorf("cannot refer to %s: %w", bad.URL, bad.Err)
	}
	if bad, ok := errors.AsType[*jsonschema.InvalidRegexError](err); ok {
		return fmt.Errorf("%s: the pattern %q: %w", pointerOf(bad.URL), bad.Regex, bad.Err)
	}
	if bad, ok := errors.AsType[*jsonschema.JSONPointerNotFoundError](err); ok {
		return fmt.Errorf("refers to %s, which is not there", pointerOf(bad.URL))
	}
	bad, ok := errors.AsType[*jsonschema.SchemaValidationError](err)
	if !ok {
		return err
	}
	invalid, ok := errors.AsType[*jsonschema.ValidationError](bad.Err)
	if !ok {
		return err
	}
	return fmt.Errorf("not a schema of draft-04: %s", strings.Join(leaves(nil, invalid.DetailedOutput()), "; "))
}

// leaves appends what is wrong with a schema in the end, each with its place.
func leaves(words []string, unit *jsonschema.OutputUnit) []string {
	for i := range unit.Errors {
		words = leaves(words, &unit.Errors[i])
	}
	if len(unit.Errors) == 0 && unit.Error != nil {
		words = append(words, pointerOf(unit.InstanceLocation)+": "+unit.Error.String())
	}
	return words
}

// pointerOf is the JSON pointer in a place's URL.
func pointerOf(url string) string {
	if _, fragment, ok := strings.Cut(url, "#"); ok {
		url = fragment
	}
	if url == "" {
		return "/"
	}
	return url
}

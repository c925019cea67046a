package cfn

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Parameter is a declared parameter.
type Parameter struct {
	Name           string
	Type           string
	Default        *Value // nil: none
	AllowedValues  *Value
	AllowedPattern string
	// Bounds of a text's length in characters and of a number, as written; empty: none.
	MinLength, MaxLength, MinValue, MaxValue string
	// ConstraintDescription is what to say of a value that breaks a rule; empty: what the rule is.
	ConstraintDescription string
	NoEcho                bool // its value is a secret, not to be shown
	Place                 Place
}

// IsList reports whether the parameter's value is a list, given as text with commas.
func (p *Parameter) IsList() bool {
	return p.Type == "CommaDelimitedList" || strings.Contains(p.Type, "List<")
}

// Stored reports whether the value given is the name of an SSM parameter, whose own value counts.
func (p *Parameter) Stored() bool { return strings.HasPrefix(p.Type, "AWS::SSM::Parameter::Value<") }

// Parameter returns a declared parameter, nil when there is none of that name.
func (t *Template) Parameter(name string) *Parameter {
	for _, p := range t.Parameters {
		if p.Name == name {
			return p
		}
	}
	return nil
}

func (t *Template) addParameter(e Entry, faults *Faults) {
	text := func(key string) string { return e.Value.Get(key).Str() }
	p := &Parameter{
		Name: e.Key, Type: text("Type"), Default: e.Value.Get("Default"), AllowedValues: e.Value.Get("AllowedValues"), AllowedPattern: text("AllowedPattern"),
		MinLength: text("MinLength"), MaxLength: text("MaxLength"), MinValue: text("MinValue"), MaxValue: text("MaxValue"),
		ConstraintDescription: text("ConstraintDescription"), NoEcho: strings.EqualFold(text("NoEcho"), "true"), Place: e.Place,
	}
	if p.Type == "" {
		faults.Addf(e.Place, "parameter %s has no Type", e.Key)
	}
	t.Parameters = append(t.Parameters, p)
}

// setParameters gives every parameter its value.
func (e *Evaluator) setParameters() {
	for _, p := range e.template.Parameters {
		e.setParameter(p)
	}
	for _, name := range slices.Sorted(maps.Keys(e.env.Parameters)) {
		if e.template.Parameter(name) == nil {
			e.faults.Addf(e.template.Value.Place, "parameter %s is given but the template does not declare it", name)
		}
	}
}

func (e *Evaluator) setParameter(p *Parameter) {
	given, ok := e.env.Parameters[p.Name]
	var v *Value
	switch {
	case ok:
		v = TextOf(p.Place, given)
	case p.Default == nil:
		e.faults.Addf(p.Place, "parameter %s has no value: it has no default and none is given", p.Name)
		v = TextOf(p.Place, "")
	case p.Default.Kind == List || p.Default.Kind == Map:
		e.faults.Addf(p.Default.Place, "the default of parameter %s must be text or a number", p.Name)
		v = TextOf(p.Place, "")
	default:
		v = TextOf(p.Default.Place, p.Default.Text)
		if p.Stored() {
			e.unknown[p.Name] = p.Default.Text
		}
	}
	if (ok || p.Default != nil) && e.unknown[p.Name] == "" {
		p.Check(v.Text, p.Place, &e.faults)
	}
	switch {
	case p.IsList():
		v = Texts(v.Place, listItems(v.Text)...)
	case p.Type == "Number":
		v.Kind = Number
	}
	e.parameters[p.Name] = v
}

// listItems are the items of a list that is given as text.
func listItems(text string) []string {
	if text == "" {
		return nil
	}
	items := strings.Split(text, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}

// Check holds a value, as it would be given, to what the parameter allows. The faults stand at the place given.
func (p *Parameter) Check(value string, at Place, faults *Faults) {
	items := []string{value}
	if p.IsList() {
		items = listItems(value)
	}
	for _, item := range items {
		why := p.fault(item)
		switch {
		case why == "":
			continue
		case p.ConstraintDescription != "":
			why = p.ConstraintDescription
		}
		shown := fmt.Sprintf(" is %q", item)
		if p.NoEcho {
			shown = ", which is not to be shown, has a wrong value"
		}
		faults.Addf(at, "parameter %s%s: %s", p.Name, shown, why)
	}
}

// fault says what is wrong with a value, "" when nothing is.
func (p *Parameter) fault(value string) string {
	if p.AllowedValues.Is(List) && !slices.ContainsFunc(p.AllowedValues.Items, func(a *Value) bool { return a.Str() == value }) {
		var all []string
		for _, a := range p.AllowedValues.Items {
			all = append(all, a.Str())
		}
		return "want one of " + strings.Join(all, ", ")
	}
	// A pattern that only Java understands is not enforced: it could refuse what AWS takes.
	if re, err := regexp.Compile(`^(?:` + p.AllowedPattern + `)$`); p.AllowedPattern != "" && err == nil && !re.MatchString(value) {
		return "want it to match " + p.AllowedPattern
	}
	if strings.Contains(p.Type, "Number") {
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return "want a number"
		}
		return outOfBounds("a number", n, p.MinValue, p.MaxValue)
	}
	return outOfBounds("a number of characters of", float64(utf8.RuneCountInString(value)), p.MinLength, p.MaxLength)
}

// outOfBounds says that n is below least or above most, which are numbers or nothing.
func outOfBounds(what string, n float64, least, most string) string {
	if limit, err := strconv.ParseFloat(least, 64); err == nil && n < limit {
		return fmt.Sprintf("want %s at least %s", what, least)
	}
	if limit, err := strconv.ParseFloat(most, 64); err == nil && n > limit {
		return fmt.Sprintf("want %s at most %s", what, most)
	}
	return ""
}

// ReadParameters are the parameters that a template declares, as far as they can be read.
func ReadParameters(template *Value) []*Parameter {
	var t Template
	var faults Faults // ReadTemplate's to tell
	for _, e := range template.Get("Parameters").Entries() {
		t.addParameter(e, &faults)
	}
	return t.Parameters
}

package cfn

import (
	"cmp"
	"strings"
)

// Env is what a template is evaluated with. Zero fields mean what each says.
type Env struct {
	// Parameters are the values given by the user, lists as text with commas. Others have their defaults.
	Parameters map[string]string
	// Pseudo parameters. Empty: "us-east-1", "123456789012", "aws", "stack", an ARN made of these, "amazonaws.com".
	Region, Account, Partition, StackName, StackID, URLSuffix string
	NotificationARNs                                          []string
	// Attribute returns what Ref (attribute "") or Fn::GetAtt of a resource gives. The error says why there is no such
	// thing; the evaluator adds the place. Nil: every reference to a resource is a fault.
	Attribute func(r *Resource, attribute string) (*Value, error)
	// Import returns what Fn::ImportValue gives. Nil: every import is a fault.
	Import func(name string) (*Value, error)
}

// Bounds of the bytes of one text that evaluation makes, and of all. Without them a few lines of nested Fn::Sub or
// Fn::ToJsonString could double a text a hundred times.
const (
	maxText  = 4 << 20
	maxTexts = 64 << 20
)

// Bounds of what evaluation does. The stack of a goroutine cannot be caught when it overflows, so that depth is what keeps a
// template that refers to itself in a way which Order has not seen from ending the process; steps are what keeps one that
// doubles itself at each level from running for days.
const (
	maxEvaluationDepth = 1000
	maxSteps           = 10_000_000
)

// Evaluator evaluates the intrinsic functions of one template. It makes new values and changes none. It is not safe for
// concurrent use.
type Evaluator struct {
	template   *Template
	env        Env
	parameters map[string]*Value
	unknown    map[string]string // SSM names of parameters whose values only AWS could look up
	conditions map[string]*condition
	faults     Faults
	made       int // bytes of all texts made
	depth      int // of the value that is being evaluated, in those around it and those that refer to it
	steps      int // values evaluated and made
}

type condition struct {
	entry Entry
	state state
	value bool
}

type state uint8

const (
	unvisited state = iota
	visiting
	visited
)

func (e *Env) setDefaults() {
	e.Region = cmp.Or(e.Region, "us-east-1")
	e.Account = cmp.Or(e.Account, "123456789012")
	e.Partition = cmp.Or(e.Partition, "aws")
	e.StackName = cmp.Or(e.StackName, "stack")
	e.URLSuffix = cmp.Or(e.URLSuffix, "amazonaws.com")
	e.StackID = cmp.Or(e.StackID, "arn:"+e.Partition+":cloudformation:"+e.Region+":"+e.Account+":stack/"+e.StackName+"/00000000-0000-4000-8000-000000000000")
}

// NewEvaluator prepares the evaluation of a template. Its error is Faults: parameters without or with a wrong value,
// conditions that are not true or false.
func NewEvaluator(t *Template, env Env) (*Evaluator, error) {
	env.setDefaults()
	e := &Evaluator{template: t, env: env, parameters: map[string]*Value{}, unknown: map[string]string{}, conditions: map[string]*condition{}}
	e.setParameters()
	for _, c := range t.Conditions {
		e.conditions[c.Key] = &condition{entry: c}
	}
	for _, c := range t.Conditions {
		e.condition(c.Key, c.Place)
	}
	return e, e.take()
}

// take returns the faults collected so far, as an error, and forgets them.
func (e *Evaluator) take() error {
	faults := e.faults
	e.faults = nil
	return faults.Err()
}

// Evaluate returns v with all its intrinsic functions evaluated; map entries and list items that are AWS::NoValue are
// left out, and a v that is itself AWS::NoValue is nil. Its error is Faults; the value then has gaps.
//
// It may be called from inside Env.Attribute. Where resources refer to each other in a circle that would never end:
// Order tells beforehand.
func (e *Evaluator) Evaluate(v *Value) (*Value, error) {
	outer := e.faults
	e.faults = nil
	result := e.value(v)
	err := e.take()
	e.faults = outer
	return result, err
}

// active reports whether a resource's condition holds.
func (e *Evaluator) active(r *Resource) bool {
	return r.Condition == "" || e.condition(r.Condition, r.Place)
}

// condition reports whether the condition of that name holds; at is where it is used, for the fault of a condition
// that does not exist or depends on itself.
func (e *Evaluator) condition(name string, at Place) bool {
	c := e.conditions[name]
	switch {
	case c == nil:
		e.faults.Addf(at, "condition %s is not in the template", name)
		return false
	case c.state == visiting:
		e.faults.Addf(c.entry.Place, "condition %s depends on itself", name)
		return false
	case c.state == unvisited:
		c.state = visiting
		c.value = e.boolean(c.entry.Value)
		c.state = visited
	}
	return c.value
}

// value evaluates one value; nil is AWS::NoValue or a fault.
func (e *Evaluator) value(v *Value) *Value {
	if v == nil || !e.spend(v.Place, 1) {
		return nil
	}
	e.depth++
	defer func() { e.depth-- }()
	switch v.Kind {
	case List:
		list := &Value{Kind: List, Place: v.Place}
		for _, item := range v.Items {
			if item = e.value(item); item != nil {
				list.Items = append(list.Items, item)
			}
		}
		return list
	case Map:
		if f, ok := e.function(v); ok {
			return f
		}
		m := &Value{Kind: Map, Place: v.Place}
		for _, entry := range v.Keys {
			if item := e.value(entry.Value); item != nil {
				m.Keys = append(m.Keys, Entry{entry.Key, entry.Place, item})
			}
		}
		return m
	default:
		return v
	}
}

// spend counts steps; false beyond the bounds, of which the first fault alone is told.
func (e *Evaluator) spend(at Place, steps int) bool {
	if e.steps > maxSteps {
		return false
	}
	if e.steps += steps; e.depth > maxEvaluationDepth {
		e.steps = maxSteps + 1
	}
	if e.steps > maxSteps {
		e.fault(at, "evaluating the template takes too much: values refer to each other in a circle, or multiply each other")
		return false
	}
	return true
}

// intrinsic returns the name and the argument of the function that v is.
func intrinsic(v *Value) (Entry, bool) {
	if !v.Is(Map) || len(v.Keys) != 1 {
		return Entry{}, false
	}
	e := v.Keys[0]
	return e, e.Key == "Ref" || strings.HasPrefix(e.Key, "Fn::")
}

// function evaluates v when it is an intrinsic function.
func (e *Evaluator) function(v *Value) (*Value, bool) {
	f, ok := intrinsic(v)
	if !ok {
		for _, entry := range v.Keys {
			if strings.HasPrefix(entry.Key, "Fn::") {
				e.faults.Addf(entry.Place, "%s must be the only key of its map", entry.Key)
				return nil, true
			}
		}
		return nil, false
	}
	return e.call(f.Key, f.Value, v.Place), true
}

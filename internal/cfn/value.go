package cfn

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Place is where something was written. The zero Place is "nowhere", for values that nobody wrote.
type Place struct {
	File         string // as the user would name it, relative to the project's folder
	Line, Column int    // from 1; 0 is unknown
}

func (p Place) String() string {
	switch {
	case p.File == "":
		return ""
	case p.Line == 0:
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line)
}

// Fault is something wrong in what a user wrote: where, what, and what would be right.
type Fault struct { //nolint:errname // it is named for what a user sees: one of the faults of a template
	Place   Place
	Message string
}

func (f Fault) Error() string {
	if at := f.Place.String(); at != "" {
		return at + ": " + f.Message
	}
	return f.Message
}

// Faults are all that is wrong, in the order found. An empty Faults is not an error: return Err().
type Faults []Fault //nolint:errname // see Fault

// maxFaults is more than anybody reads. A template has room for millions, each of which is longer than what causes it.
const maxFaults = 1000

// Addf adds a fault. What comes after the first thousand is left out, and said to be.
func (f *Faults) Addf(at Place, format string, args ...any) {
	switch n := len(*f); {
	case n < maxFaults:
		*f = append(*f, Fault{at, fmt.Sprintf(format, args...)})
	case n == maxFaults:
		*f = append(*f, Fault{Message: "there are more faults, which are not told: mend these first"})
	}
}

// Err returns f as an error, nil when it is empty.
func (f Faults) Err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Kind is the kind of a Value.
type Kind uint8

// The kinds of values that JSON and YAML share.
const (
	Null Kind = iota
	Bool
	Number
	String
	List
	Map
)

func (k Kind) String() string {
	return [...]string{"null", "a boolean", "a number", "text", "a list", "a map"}[k]
}

// Value is one node of a template. A Value is not changed once it is part of a tree that others read: evaluation and
// variable resolution make new ones. A nil *Value stands for "absent" and every method accepts it.
type Value struct {
	Kind  Kind
	Text  string // scalars, as written; "true" or "false" for Bool
	Items []*Value
	Keys  []Entry // in order
	Place Place
}

// Entry is one key of a map with its value.
type Entry struct {
	Key   string
	Place Place // of the key
	Value *Value
}

// TextOf returns a text value.
func TextOf(at Place, s string) *Value { return &Value{Kind: String, Text: s, Place: at} }

// NumberOf returns a number value.
func NumberOf(at Place, n int) *Value {
	return &Value{Kind: Number, Text: strconv.Itoa(n), Place: at}
}

// BoolOf returns a boolean value.
func BoolOf(at Place, b bool) *Value {
	return &Value{Kind: Bool, Text: strconv.FormatBool(b), Place: at}
}

// ListOf returns a list value.
func ListOf(at Place, items ...*Value) *Value { return &Value{Kind: List, Items: items, Place: at} }

// MapOf returns a map value of alternating keys (string) and values (*Value); nil values are left out. It panics on
// any other argument: programmer error.
func MapOf(at Place, pairs ...any) *Value {
	m := &Value{Kind: Map, Place: at}
	for i := 0; i+1 < len(pairs); i += 2 {
		key, isKey := pairs[i].(string)
		v, isValue := pairs[i+1].(*Value)
		switch {
		case !isKey || !isValue:
			panic(fmt.Sprintf("cfn.MapOf: want a string and a *Value, got %T and %T", pairs[i], pairs[i+1]))
		case v != nil:
			m.Keys = append(m.Keys, Entry{key, v.Place, v})
		}
	}
	return m
}

// At is the place of v, the zero Place for nil.
func (v *Value) At() Place {
	if v == nil {
		return Place{}
	}
	return v.Place
}

// Is reports whether v is present and of kind k.
func (v *Value) Is(k Kind) bool { return v != nil && v.Kind == k }

// Get returns the value of a key, nil when v is no map or has no such key. Of duplicate keys the last counts.
func (v *Value) Get(key string) *Value {
	if !v.Is(Map) {
		return nil
	}
	for _, e := range slices.Backward(v.Keys) {
		if e.Key == key {
			return e.Value
		}
	}
	return nil
}

// Entries returns the keys of a map with their values, in order; nil when v is no map.
func (v *Value) Entries() []Entry {
	if !v.Is(Map) {
		return nil
	}
	return v.Keys
}

// Path is Get along several keys.
func (v *Value) Path(keys ...string) *Value {
	for _, k := range keys {
		v = v.Get(k)
	}
	return v
}

// Scalar returns the text of a text, number or boolean value, and whether v is one.
func (v *Value) Scalar() (string, bool) {
	if v == nil || v.Kind == Null || v.Kind == List || v.Kind == Map {
		return "", false
	}
	return v.Text, true
}

// Str is Scalar for callers to whom anything else is the empty string.
func (v *Value) Str() string {
	s, _ := v.Scalar()
	return s
}

package cfn

import (
	"slices"
	"strings"
)

// Set sets a key of a map that is still being made: in place of an entry of that key, else at the end.
func (v *Value) Set(e Entry) {
	for i := range v.Keys {
		if v.Keys[i].Key == e.Key {
			v.Keys[i] = e
			return
		}
	}
	v.Keys = append(v.Keys, e)
}

// With is a copy of a map with one entry set. The map itself is not changed; a nil one counts as empty.
func (v *Value) With(e Entry) *Value {
	out := &Value{Kind: Map, Place: v.At(), Keys: slices.Clone(v.Entries())}
	out.Set(e)
	return out
}

// Merge is base with over on top: maps key by key, anything else replaced. Neither is changed.
func Merge(base, over *Value) *Value {
	if over == nil {
		return base
	}
	if !base.Is(Map) || !over.Is(Map) {
		return over
	}
	out := &Value{Kind: Map, Place: base.Place, Keys: slices.Clone(base.Keys)}
	for _, e := range over.Keys {
		e.Value = Merge(out.Get(e.Key), e.Value)
		out.Set(e)
	}
	return out
}

// Ref is a reference to a parameter or a resource.
func Ref(at Place, name string) *Value { return MapOf(at, refFunction, TextOf(at, name)) }

// GetAtt is a reference to an attribute of a resource.
func GetAtt(at Place, id, attribute string) *Value {
	return MapOf(at, getAttFunction, ListOf(at, TextOf(at, id), TextOf(at, attribute)))
}

// Join is texts with a separator between them.
func Join(at Place, separator string, items ...*Value) *Value {
	return MapOf(at, "Fn::Join", ListOf(at, TextOf(at, separator), ListOf(at, items...)))
}

// Sub is a text with ${references}; variables is a map of what some of them stand for, nil for none.
func Sub(at Place, text string, variables *Value) *Value {
	if variables == nil {
		return MapOf(at, subFunction, TextOf(at, text))
	}
	return MapOf(at, subFunction, ListOf(at, TextOf(at, text), variables))
}

// Texts is a list of texts.
func Texts(at Place, ss ...string) *Value {
	v := &Value{Kind: List, Place: at}
	for _, s := range ss {
		v.Items = append(v.Items, TextOf(at, s))
	}
	return v
}

// The functions that refer to something by its name.
const (
	refFunction       = "Ref"
	getAttFunction    = "Fn::GetAtt"
	subFunction       = "Fn::Sub"
	ifFunction        = "Fn::If"
	findInMapFunction = "Fn::FindInMap"
	conditionFunction = "Condition"
)

// IsIntrinsic reports whether a value is a call of an intrinsic function.
func IsIntrinsic(v *Value) bool {
	return v.Is(Map) && len(v.Keys) == 1 && (v.Keys[0].Key == refFunction || v.Keys[0].Key == conditionFunction || strings.HasPrefix(v.Keys[0].Key, "Fn::"))
}

package jsonpath

import "slices"

// Member is one member of an object.
type Member struct {
	Name  string
	Value any
}

// Object is a JSON object, or a Java LinkedHashMap: its members keep the order in which their names first came. The
// zero value is an empty object. It is not safe for concurrent use once somebody changes it.
type Object struct {
	members []Member
	index   map[string]int // where the members are; nil while there are few
}

// fewMembers is up to how many members an object is searched from the front.
const fewMembers = 16

// NewObject returns an object of the given members; of a name that comes twice, the last value counts.
func NewObject(members ...Member) *Object {
	o := &Object{members: make([]Member, 0, len(members))}
	for _, m := range members {
		o.Set(m.Name, m.Value)
	}
	return o
}

// Len is the number of members.
func (o *Object) Len() int { return len(o.members) }

// Members are the members in their order. The slice is the object's own: read it only, and not beyond the next change.
func (o *Object) Members() []Member { return o.members }

// Get returns the value of a member, and whether there is one.
func (o *Object) Get(name string) (any, bool) {
	if i := o.find(name); i >= 0 {
		return o.members[i].Value, true
	}
	return nil, false
}

// Set puts a value in and returns the one before it, nil when there was none. A new name comes last.
func (o *Object) Set(name string, value any) any {
	if i := o.find(name); i >= 0 {
		old := o.members[i].Value
		o.members[i].Value = value
		return old
	}
	o.members = append(o.members, Member{name, value})
	if o.index != nil {
		o.index[name] = len(o.members) - 1
	}
	return nil
}

// Delete takes a member out and returns its value, nil when there was none.
func (o *Object) Delete(name string) any {
	i := o.find(name)
	if i < 0 {
		return nil
	}
	old := o.members[i].Value
	// A copy, for whoever walks Members meanwhile.
	o.members = slices.Concat(o.members[:i], o.members[i+1:])
	o.index = nil
	return old
}

func (o *Object) find(name string) int {
	if len(o.members) <= fewMembers {
		for i := range o.members {
			if o.members[i].Name == name {
				return i
			}
		}
		return -1
	}
	if o.index == nil {
		o.index = make(map[string]int, len(o.members))
		for i := range o.members {
			o.index[o.members[i].Name] = i
		}
	}
	if i, ok := o.index[name]; ok {
		return i
	}
	return -1
}

// Array is a JSON array, or another of Java's lists.
type Array struct {
	Items []any
	// Java says that this is no part of a JSON document but a list of a template's own, which prints in another way.
	// This package sets it nowhere and does not look at it.
	Java bool
}

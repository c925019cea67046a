package cfn

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Decode fills the struct behind into from evaluated properties, as far as they are among names: those of the JSON members
// of its fields with a capital letter. Like CloudFormation it takes "5" for 5 and "true" for true, and 5 for "5". What does
// not fit becomes a fault that names the resource, of.
func Decode(properties *Value, names []string, into any, of string, faults *Faults) {
	d := decoder{of, faults}
	target := reflect.ValueOf(into).Elem()
	for _, e := range properties.Entries() {
		if !slices.Contains(names, e.Key) {
			continue
		}
		if field, ok := fieldOf(target, e.Key); ok {
			d.set(field, e.Value, e.Key)
		}
	}
}

type decoder struct {
	of     string // the logical ID
	faults *Faults
}

// fieldOf finds the field of a property by its JSON name.
func fieldOf(target reflect.Value, property string) (reflect.Value, bool) {
	t := target.Type()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if PropertyName(name) == property {
			return target.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// PropertyName is the CloudFormation spelling of a JSON member.
func PropertyName(name string) string {
	if name == "" {
		return ""
	}
	return string(unicode.ToUpper(rune(name[0]))) + name[1:]
}

func (d *decoder) fault(v *Value, what, want string) {
	d.faults.Addf(v.At(), "%s: %s must be %s, not %s", d.of, what, want, v.Kind)
}

// set puts v into a field; what names it.
func (d *decoder) set(field reflect.Value, v *Value, what string) {
	switch field.Kind() {
	case reflect.String:
		if s, ok := v.Scalar(); ok {
			field.SetString(s)
		} else {
			d.fault(v, what, "text")
		}
	case reflect.Bool:
		switch strings.ToLower(v.Str()) {
		case "true":
			field.SetBool(true)
		case "false":
			field.SetBool(false)
		default:
			d.fault(v, what, "true or false")
		}
	case reflect.Int:
		if n, err := strconv.Atoi(v.Str()); err == nil {
			field.SetInt(int64(n))
		} else {
			d.fault(v, what, "a whole number")
		}
	case reflect.Float64:
		if f, err := strconv.ParseFloat(v.Str(), 64); err == nil {
			field.SetFloat(f)
		} else {
			d.fault(v, what, "a number")
		}
	case reflect.Pointer:
		made := reflect.New(field.Type().Elem())
		d.set(made.Elem(), v, what)
		field.Set(made)
	case reflect.Struct:
		d.setStruct(field, v, what)
	case reflect.Slice:
		d.setSlice(field, v, what)
	case reflect.Map:
		d.setMap(field, v, what)
	default:
		d.fault(v, what, "absent")
	}
}

func (d *decoder) setStruct(field reflect.Value, v *Value, what string) {
	if !v.Is(Map) {
		d.fault(v, what, "a map")
		return
	}
	for _, e := range v.Keys {
		inner, ok := fieldOf(field, e.Key)
		if !ok {
			d.faults.Addf(e.Place, "%s: extraneous key [%s] is not permitted in %s", d.of, e.Key, what)
			continue
		}
		d.set(inner, e.Value, what+"."+e.Key)
	}
}

func (d *decoder) setSlice(field reflect.Value, v *Value, what string) {
	items := []*Value{v} // one alone counts as a list of it
	if v.Is(List) {
		items = v.Items
	}
	list := reflect.MakeSlice(field.Type(), len(items), len(items))
	for i, item := range items {
		d.set(list.Index(i), item, what)
	}
	field.Set(list)
}

func (d *decoder) setMap(field reflect.Value, v *Value, what string) {
	if !v.Is(Map) {
		d.fault(v, what, "a map")
		return
	}
	m := reflect.MakeMapWithSize(field.Type(), len(v.Keys))
	for _, e := range v.Keys {
		item := reflect.New(field.Type().Elem()).Elem()
		d.set(item, e.Value, what+"."+e.Key)
		m.SetMapIndex(reflect.ValueOf(e.Key), item)
	}
	field.Set(m)
}

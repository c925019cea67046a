package cfn_test

import (
	"reflect"
	"testing"

	"cleat/internal/cfn"
)

// A value that went away as JSON with its places beside it is, on the other side, what it was.
func TestPlacesTravel(t *testing.T) {
	v, err := cfn.Parse("a.yaml", []byte("Resources:\n  A: !Sub '${B}/x'\n  N: [1, 0x10, yes, null, {}]\n  E:\n"))
	if err != nil {
		t.Fatal(err)
	}
	v = cfn.MapOf(cfn.Place{File: "b.yml", Line: 7, Column: 2}, "a", v, "b", cfn.TextOf(cfn.Place{}, "nowhere"))
	read, err := cfn.Parse("sent.json", v.AppendJSON(nil))
	if err != nil {
		t.Fatal(err)
	}
	places := cfn.PlacesOf(v)
	got, err := places.Put(read)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]cfn.Place{}
	note(want, "", v)
	have := map[string]cfn.Place{}
	note(have, "", got)
	if !reflect.DeepEqual(have, want) || len(want) < 8 {
		t.Errorf("got %v\nwant %v", have, want)
	}
	if len(places.Files) != 3 { // a.yaml, b.yml, nowhere
		t.Errorf("files %q", places.Files)
	}
	if string(got.AppendJSON(nil)) != string(v.AppendJSON(nil)) {
		t.Errorf("got %s", got.AppendJSON(nil))
	}

	for name, bad := range map[string]cfn.Places{
		"too few":     {Files: places.Files, At: places.At[:len(places.At)-3]},
		"too many":    {Files: places.Files, At: append(append([]int{}, places.At...), 0, 0, 0)},
		"broken":      {Files: places.Files, At: places.At[:len(places.At)-1]},
		"no file":     {Files: places.Files[:1], At: places.At},
		"nothing":     {},
		"before file": {Files: places.Files, At: append([]int{-1}, places.At[1:]...)},
	} {
		if _, err := bad.Put(read); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// note collects the places of a value by path.
func note(into map[string]cfn.Place, path string, v *cfn.Value) {
	into[path] = v.At()
	for i, item := range v.Items {
		note(into, path+"/"+string(rune('0'+i)), item)
	}
	for _, e := range v.Keys {
		into[path+"."+e.Key+"?"] = e.Place
		note(into, path+"."+e.Key, e.Value)
	}
}

package template

import (
	"os"
	"path/filepath"
	"strings"

	"cleat/internal/cfn"
)

const functionType = "AWS::Lambda::Function"

// locate finds the code of a template's functions: Code becomes {"LocalPath": absolute folder} where it is on this machine.
// Metadata.cleat says where the function is written, and why it cannot be run here where it cannot.
func (r *Reader) locate(t *cfn.Value, dir string) *cfn.Value {
	s := r.scope(t)
	resources := &cfn.Value{Kind: cfn.Map, Place: t.Get("Resources").At()}
	for _, e := range t.Get("Resources").Entries() {
		if e.Value.Get("Type").Str() == functionType {
			e.Value = r.locateFunction(s, e, dir)
		}
		resources.Keys = append(resources.Keys, e)
	}
	return t.With(cfn.Entry{Key: "Resources", Place: resources.Place, Value: resources})
}

func (r *Reader) locateFunction(s scope, e cfn.Entry, dir string) *cfn.Value {
	f := function{Reader: r, s: s, id: e.Key, place: e.Place, value: e.Value, dir: dir}
	props := e.Value.Get("Properties")
	runtime, _ := s.text(props.Get("Runtime"))
	f.runtime = runtime
	path, why := f.code(props.Get("Code"))
	own := cfn.MapOf(e.Place, "Place", cfn.TextOf(e.Place, e.Place.String()))
	if why != "" {
		own.Keys = append(own.Keys, cfn.Entry{Key: "Absent", Place: e.Place, Value: cfn.TextOf(e.Place, why)})
	} else {
		r.Folders = append(r.Folders, path)
		at := props.Get("Code").At()
		props = props.With(cfn.Entry{Key: "Code", Place: at, Value: cfn.MapOf(at, "LocalPath", cfn.TextOf(at, path))})
	}
	v := e.Value
	if props != nil {
		v = v.With(cfn.Entry{Key: "Properties", Place: props.Place, Value: props})
	}
	meta := cfn.Merge(cfn.MapOf(e.Place, "cleat", own), v.Get("Metadata"))
	return v.With(cfn.Entry{Key: "Metadata", Place: e.Place, Value: meta})
}

// function is one whose code is looked for.
type function struct {
	*Reader
	s       scope
	id      string
	place   cfn.Place
	value   *cfn.Value
	dir     string // of the template
	runtime string
}

// code is the folder of a function's code; why says instead that there is none on this machine.
func (f *function) code(code *cfn.Value) (path, why string) {
	switch {
	case code == nil:
		return "", "it has no Code"
	case code.Get("ImageUri") != nil, f.value.Path("Properties", "PackageType").Str() == "Image":
		return "", "it is a container image, which Cleat does not run"
	case code.Get("ZipFile") != nil:
		return f.inline(code.Get("ZipFile"))
	case code.Get("S3Key") != nil:
		if path := f.asset(f.value, "Code", code.Get("S3Key")); path != "" {
			return f.folder(path, code.Place)
		}
		return "", "its code is in S3, not on this machine"
	}
	name, ok := f.s.text(code)
	switch {
	case !ok:
		return "", "its Code is neither a path nor a place in S3 nor ZipFile"
	case strings.Contains(name, "://"):
		return "", "its code is at " + name + ", not on this machine"
	case strings.ContainsRune(name, 0):
		return "", "its Code is no path of a file"
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(f.dir, filepath.FromSlash(name))
	}
	return f.folder(name, code.Place)
}

// folder is where the code at a path is: a folder is that itself, an archive what is in it, another file its folder.
func (f *function) folder(path string, at cfn.Place) (dir, why string) {
	info, err := os.Stat(path)
	switch {
	case err != nil: // whoever looks for the handler tells
		f.Watch(path)
		return path, ""
	case info.IsDir():
		return path, ""
	case !strings.HasSuffix(path, ".zip") && !strings.HasSuffix(path, ".jar"):
		return filepath.Dir(path), ""
	}
	f.Watch(path)
	if dir, err = f.unpack(path); err != nil {
		f.Faultf(at, "%s: the archive %s cannot be unpacked: %v", f.id, f.Shown(path), err)
		return "", "its archive cannot be unpacked"
	}
	return dir, ""
}

// inline is where code that the template carries is written to.
func (f *function) inline(v *cfn.Value) (dir, why string) {
	text, ok := f.s.text(v)
	if !ok {
		return "", "its ZipFile depends on what is not known before the stack is made"
	}
	name := "index.js"
	if strings.HasPrefix(f.runtime, "python") {
		name = "index.py"
	}
	dir, err := f.write(name, text)
	if err != nil {
		f.Faultf(v.Place, "%s: its inline code cannot be written out: %v", f.id, err)
		return "", "its inline code cannot be written out"
	}
	return dir, ""
}

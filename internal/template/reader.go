package template

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"cleat/internal/cfn"
	"cleat/internal/input"
	"cleat/internal/link"
	"cleat/internal/sam"
)

// Options say how templates are read.
type Options struct {
	Name   string // the stack's
	Region string
	// Parameters are the values given by the user, by name.
	Parameters map[string]string
	// CodeDir is an absolute path, where code that is not a folder is written: of templates, of archives. Empty: such a
	// function is a fault.
	CodeDir string
}

// Reader reads the templates of one project. It is used by one goroutine. Make one with New.
type Reader struct {
	*input.Reading
	// Options may be changed as long as nothing has been read that depends on them.
	Options Options
	// assets are the absolute paths of what a tool would upload, by the last part of the key that it has in S3.
	assets map[string]string
	// LeftAlone names what was read and given no effect, each once.
	LeftAlone []string
	// Folders are absolute paths of the folders that code is in.
	Folders []string
}

// New returns a reader whose faults and warnings go to r.
func New(r *input.Reading, o Options) *Reader {
	return &Reader{Reading: r, Options: o, assets: map[string]string{}}
}

// AddAsset says where a file or folder lies that has a key in S3 once it is uploaded.
func (r *Reader) AddAsset(key, path string) { r.assets[baseOf(key)] = path }

func baseOf(key string) string { return key[strings.LastIndexByte(key, '/')+1:] }

// Stack reads one template and makes plain CloudFormation of it, its nested stacks not yet read. It is nil after a fault.
func (r *Reader) Stack(file string) *cfn.Value {
	t := r.Parse(file)
	if t == nil {
		if !r.Unread(file) {
			r.Faultf(cfn.Place{File: r.Shown(file)}, "the file is empty: a template needs at least Resources")
		}
		return nil
	}
	return r.expand(t, filepath.Dir(r.Abs(file)))
}

// expand makes plain CloudFormation of a template that lies in a folder.
func (r *Reader) expand(t *cfn.Value, dir string) *cfn.Value {
	if !t.Get("Resources").Is(cfn.Map) {
		r.Faultf(t.Place, "the template has no Resources section, or it is no map")
		return nil
	}
	t = r.include(t, dir)
	t, err := cfn.ExpandLoops(t, r.given(t))
	r.fault(err)
	if sam.Is(t) {
		result, err := sam.Expand(t, r.scope(t).text)
		r.fault(err)
		for _, w := range result.Warnings {
			r.Warnf(w.Place, "%s", w.Message)
		}
		for _, what := range result.LeftAlone {
			r.LeaveAlone(what)
		}
		t = result.Template
	}
	return r.locate(t, dir)
}

// LeaveAlone notes what is given no effect.
func (r *Reader) LeaveAlone(what string) {
	if !slices.Contains(r.LeftAlone, what) {
		r.LeftAlone = append(r.LeftAlone, what)
	}
}

// fault notes faults that another package found.
func (r *Reader) fault(err error) {
	faults, _ := err.(cfn.Faults) //nolint:errorlint // those packages return Faults as they are, or nothing
	for _, f := range faults {
		r.Faultf(f.Place, "%s", f.Message)
	}
}

// Link makes one template of stacks with all that is nested in them.
func (r *Reader) Link(stacks ...link.Stack) *cfn.Value {
	given := map[string]string{}
	for _, s := range stacks {
		maps.Copy(given, r.given(s.Template))
	}
	whole, err := link.Link(stacks, link.Options{Name: r.Options.Name, Region: r.Options.Region, Parameters: given, Nested: r.nested})
	r.fault(err)
	return whole
}

// nested reads the template of a nested stack, nil when it is not on this machine.
func (r *Reader) nested(stack *cfn.Value, e cfn.Entry) *cfn.Value {
	url := stack.Path("Properties", "TemplateURL")
	path := r.asset(stack, "TemplateURL", url)
	if path == "" {
		name, ok := url.Scalar()
		if !ok || strings.Contains(name, "://") {
			if stack.Path("Metadata", "cleat", "Generated") == nil {
				r.Warnf(e.Place, "nested stack %s: its template is not a file of this machine, so nothing of it is here", e.Key)
			}
			return nil
		}
		path = filepath.Join(filepath.Dir(r.Abs(url.Place.File)), filepath.FromSlash(name))
	}
	if !input.IsFile(path) {
		r.Faultf(url.At(), "nested stack %s: there is no template %s", e.Key, r.Shown(path))
		return nil
	}
	return r.Stack(path)
}

// asset is the path of what a property of a resource names by its key in S3, "" when it names none.
func (r *Reader) asset(resource *cfn.Value, property string, key *cfn.Value) string {
	if path := r.assets[baseOf(lastText(key))]; path != "" {
		return path
	}
	meta := resource.Get("Metadata")
	if path := meta.Get("aws:asset:path").Str(); path != "" && meta.Get("aws:asset:property").Str() == property {
		if filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(filepath.Dir(r.Abs(meta.Place.File)), path)
	}
	return ""
}

// lastText is the end of what a value is made of: the key's last part, whatever stands before it.
func lastText(v *cfn.Value) string {
	if s, ok := v.Scalar(); ok {
		return s
	}
	if !v.Is(cfn.Map) || len(v.Keys) != 1 {
		return ""
	}
	arg := v.Keys[0].Value
	switch v.Keys[0].Key {
	case "Fn::Sub":
		if arg.Is(cfn.List) && len(arg.Items) > 0 {
			arg = arg.Items[0]
		}
		return arg.Str()
	case "Fn::Join":
		if arg.Is(cfn.List) && len(arg.Items) == 2 && arg.Items[1].Is(cfn.List) && len(arg.Items[1].Items) > 0 {
			items := arg.Items[1].Items
			return lastText(items[len(items)-1])
		}
	}
	return ""
}

// given are the values of a template's own parameters that the user gives. A parameter kept in SSM takes a value given for
// its name there, as ssm:/name.
func (r *Reader) given(t *cfn.Value) map[string]string {
	out := map[string]string{}
	for _, p := range cfn.ReadParameters(t) {
		if v, ok := r.Options.Parameters[p.Name]; ok {
			out[p.Name] = v
		} else if v, ok := r.Options.Parameters["ssm:"+p.Default.Str()]; ok && p.Stored() {
			out[p.Name] = v
		}
	}
	return out
}

// Given are the values of the parameters of the template that Link returned.
func (r *Reader) Given(whole *cfn.Value) map[string]string { return r.given(whole) }

// scope evaluates what depends on a template's parameters, mappings and conditions alone.
type scope struct{ evaluator *cfn.Evaluator }

func (r *Reader) scope(t *cfn.Value) scope {
	view, err := cfn.ReadTemplate(t.With(cfn.Entry{Key: "Resources", Value: &cfn.Value{Kind: cfn.Map}}))
	if err != nil && view == nil {
		return scope{}
	}
	// What is wrong with parameters and conditions whoever applies the template tells.
	evaluator, _ := cfn.NewEvaluator(view, cfn.Env{Parameters: r.given(t), Region: r.Options.Region, StackName: r.Options.Name})
	return scope{evaluator}
}

// value evaluates v, nil for what depends on resources.
func (s scope) value(v *cfn.Value) *cfn.Value {
	if s.evaluator == nil || v == nil {
		return nil
	}
	made, err := s.evaluator.Evaluate(v)
	if err != nil {
		return nil
	}
	return made
}

func (s scope) text(v *cfn.Value) (string, bool) { return s.value(v).Scalar() }

// Text is the value of a text of a template that depends on nothing but parameters and mappings, "" for any other.
func (r *Reader) Text(whole, v *cfn.Value) string {
	s, _ := r.scope(whole).text(v)
	return s
}

// Package cdk reads what `cdk synth` makes: a cloud assembly, the folder cdk.out with its manifest, a template for each stack, and
// the assets that functions and nested stacks are in. Stacks that import from one another become one.
//
// Its caller is package project.
package cdk

import (
	"path/filepath"
	"slices"
	"strings"

	"cleat/internal/cfn"
	"cleat/internal/link"
	"cleat/internal/template"
)

// Manifest is the file by which a folder is known for a cloud assembly.
const Manifest = "manifest.json"

// Kinds of a manifest's artifacts.
const (
	stackArtifact    = "aws:cloudformation:stack"
	assetsArtifact   = "cdk:asset-manifest"
	assemblyArtifact = "cdk:cloud-assembly"
)

const maxAssemblies = 50

// Assembly is a cloud assembly as it was read.
type Assembly struct {
	r      *template.Reader
	stacks []*stack
	nested int    // how many assemblies are within this one
	stage  string // wanted; empty: none
}

// stack is one stack of an assembly.
type stack struct {
	id, name string
	of       string // the nested assembly that it is in, "" for the outer one
	file     string
	place    cfn.Place
	value    *cfn.Value
	group    int // stacks of one group import from one another
}

// Chosen are the stacks that run.
type Chosen struct {
	Template *cfn.Value
	Name     string // of the stack; of several, ""
}

// Read reads the assembly in a folder. Where it has stages (CDK's, each a nested assembly), stage names the one that is meant; empty: the first
// that has a WebSocket API. It returns nil after a fault.
func Read(r *template.Reader, dir, stage string) *Chosen {
	a := &Assembly{r: r, stage: stage}
	a.read(dir, "")
	chosen := a.choose(dir)
	if len(chosen) == 0 {
		return nil
	}
	stacks := make([]link.Stack, len(chosen))
	for i, s := range chosen {
		stacks[i] = link.Stack{Template: s.value, Name: s.name}
		if len(chosen) > 1 {
			stacks[i].Prefix = logicalID(s.id)
		}
	}
	out := &Chosen{Template: r.Link(stacks...)}
	if len(chosen) == 1 {
		out.Name = chosen[0].name
	}
	return out
}

func logicalID(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// read adds the stacks and assets of an assembly, and of those nested in it.
func (a *Assembly) read(dir, of string) {
	file := filepath.Join(dir, Manifest)
	manifest := a.r.Parse(file)
	if manifest == nil {
		if !a.r.Unread(file) {
			a.r.Faultf(cfn.Place{File: a.r.Shown(file)}, "the file is empty: run `cdk synth` again")
		}
		return
	}
	for _, e := range manifest.Get("artifacts").Entries() {
		props := e.Value.Get("properties")
		switch e.Value.Get("type").Str() {
		case assetsArtifact:
			a.readAssets(filepath.Join(dir, props.Get("file").Str()))
		case stackArtifact:
			s := &stack{id: e.Key, name: props.Get("stackName").Str(), of: of, place: e.Place, file: filepath.Join(dir, props.Get("templateFile").Str())}
			if s.name == "" {
				s.name = e.Key
			}
			a.stacks = append(a.stacks, s)
		case assemblyArtifact:
			a.readNested(dir, e)
		}
	}
}

func (a *Assembly) readNested(dir string, e cfn.Entry) {
	if a.nested++; a.nested > maxAssemblies {
		a.r.Faultf(e.Place, "more than %d nested assemblies", maxAssemblies)
		return
	}
	name := e.Value.Path("properties", "displayName").Str()
	if name == "" {
		name = e.Key
	}
	inner := filepath.FromSlash(e.Value.Path("properties", "directoryName").Str())
	if !filepath.IsLocal(inner) {
		a.r.Faultf(e.Place, "the nested assembly %s has no directoryName within the assembly", e.Key)
		return
	}
	a.read(filepath.Join(dir, inner), name)
}

// Assets reads lists of assets, X.assets.json, for a template that is read by itself.
func Assets(r *template.Reader, files []string) {
	a := Assembly{r: r}
	for _, f := range files {
		a.readAssets(f)
	}
}

// readAssets reads what the stacks' functions, nested templates and files are in.
func (a *Assembly) readAssets(file string) {
	for _, e := range a.r.Parse(file).Get("files").Entries() {
		path := e.Value.Path("source", "path").Str()
		if path == "" {
			continue // made by a program when it is uploaded
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(a.r.Abs(filepath.Dir(file)), filepath.FromSlash(path))
		}
		for _, d := range e.Value.Get("destinations").Entries() {
			a.r.AddAsset(d.Value.Get("objectKey").Str(), path)
		}
	}
}

// choose reads the templates and returns the stacks that run: those with a WebSocket API, and those that they have to do
// with.
func (a *Assembly) choose(dir string) []*stack {
	at := cfn.Place{File: a.r.Shown(filepath.Join(dir, Manifest))}
	var read []*stack
	for _, s := range a.stacks {
		if s.value = a.r.Stack(s.file); s.value != nil {
			read = append(read, s)
		}
	}
	if len(a.stacks) == 0 && len(a.r.Faults) == 0 {
		a.r.Faultf(at, "the assembly has no stacks: run `cdk synth`")
	}
	of := a.assembly(read, at)
	read = slices.DeleteFunc(read, func(s *stack) bool { return s.of != of })
	group(read)
	wanted := map[int]bool{}
	for _, s := range read {
		if hasWebSocketAPI(s.value) {
			wanted[s.group] = true
		}
	}
	if len(wanted) == 0 {
		return read // package project tells that there is nothing to connect to
	}
	for _, s := range read {
		if !wanted[s.group] {
			a.r.LeaveAlone("stack " + s.name)
		}
	}
	return slices.DeleteFunc(read, func(s *stack) bool { return !wanted[s.group] })
}

// assembly is the nested assembly whose stacks are meant, "" for the outer one.
func (a *Assembly) assembly(stacks []*stack, at cfn.Place) string {
	var names []string // of those with a WebSocket API, in order
	for _, s := range stacks {
		if hasWebSocketAPI(s.value) && !slices.Contains(names, s.of) {
			names = append(names, s.of)
		}
	}
	if a.stage != "" {
		for _, s := range stacks {
			if strings.EqualFold(s.of, a.stage) {
				return s.of
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.SortStableFunc(names, func(x, y string) int { // the outer one first
		return min(len(x), 1) - min(len(y), 1)
	})
	if len(names) > 1 {
		shown := slices.Clone(names)
		for i := range shown {
			if shown[i] == "" {
				shown[i] = "the app's own stacks"
			}
		}
		a.r.Warnf(at, "several stages have a WebSocket API (%s): this is %s; --stage NAME takes another", strings.Join(shown, ", "), shown[0])
	}
	return names[0]
}

func hasWebSocketAPI(t *cfn.Value) bool {
	return slices.ContainsFunc(t.Get("Resources").Entries(), func(e cfn.Entry) bool {
		return e.Value.Get("Type").Str() == "AWS::ApiGatewayV2::Api" && e.Value.Path("Properties", "ProtocolType").Str() != "HTTP"
	})
}

// group numbers the stacks so that those that import from one another have the same number.
func group(stacks []*stack) {
	exports := map[string]*stack{}
	for i, s := range stacks {
		s.group = i
		for _, o := range s.value.Get("Outputs").Entries() {
			if name := o.Value.Path("Export", "Name").Str(); name != "" {
				exports[name] = s
			}
		}
	}
	for _, s := range stacks {
		imports(s.value.Get("Resources"), func(name string) {
			from := exports[name]
			if from == nil || from.group == s.group {
				return
			}
			old := from.group
			for _, other := range stacks {
				if other.group == old {
					other.group = s.group
				}
			}
		})
	}
}

// imports calls f with every name that is imported.
func imports(v *cfn.Value, f func(name string)) {
	if v == nil {
		return
	}
	for _, item := range v.Items {
		imports(item, f)
	}
	for _, e := range v.Keys {
		if e.Key == "Fn::ImportValue" {
			f(e.Value.Str())
		}
		imports(e.Value, f)
	}
}

// Package packaged reads what `serverless package` makes: the folder .serverless with a template, the framework's own state, and
// the archives of the functions' code.
//
// Its caller is package project.
package packaged

import (
	"path/filepath"

	"cleat/internal/cfn"
	"cleat/internal/link"
	"cleat/internal/template"
)

const (
	templateFile = "cloudformation-template-update-stack.json"
	stateFile    = "serverless-state.json"
)

// Package is a packaged service.
type Package struct {
	Template *cfn.Value
	Service  string
	Stage    string
	Region   string
}

// State is the framework's state in a folder, what is known before the template is read: with no Template. It is nil after a
// fault.
func State(r *template.Reader, dir string) *Package {
	file := filepath.Join(dir, stateFile)
	state := r.Parse(file)
	if state == nil {
		if !r.Unread(file) {
			r.Faultf(cfn.Place{File: r.Shown(file)}, "the file is empty: run `serverless package` again")
		}
		return nil
	}
	service := state.Get("service")
	p := &Package{Service: service.Get("service").Str(), Stage: service.Path("provider", "stage").Str(), Region: service.Path("provider", "region").Str()}
	if p.Service == "" {
		r.Faultf(state.Place, "there is no service.service, the service's name: run `serverless package` again")
		return nil
	}
	addArtifacts(r, dir, state)
	return p
}

// Read reads the template of a package, with the code of its functions.
func (p *Package) Read(r *template.Reader, dir string) {
	t := r.Stack(filepath.Join(dir, templateFile))
	if t == nil {
		return
	}
	p.Template = r.Link(link.Stack{Template: t})
}

// addArtifacts says where the archives lie: one for all functions, or one each, in the folder or where the project's settings say.
func addArtifacts(r *template.Reader, dir string, state *cfn.Value) {
	add := func(v *cfn.Value) {
		name, ok := v.Scalar()
		if !ok || name == "" {
			return
		}
		key := filepath.Base(filepath.FromSlash(name))
		for _, path := range []string{filepath.Join(dir, key), filepath.Join(dir, "..", filepath.FromSlash(name)), filepath.Join(dir, filepath.FromSlash(name))} {
			if r.Exists(path) {
				r.AddAsset(key, r.Abs(path))
				return
			}
		}
		r.Faultf(v.Place, "there is no archive %s in %s: run `serverless package` again", key, r.Shown(dir))
	}
	functions := state.Path("service", "functions").Entries()
	own := 0
	for _, f := range functions {
		if artifact := f.Value.Path("package", "artifact"); artifact != nil {
			own++
			add(artifact)
		}
	}
	if own < len(functions) {
		artifact := state.Path("package", "artifact")
		if artifact.Str() == "" {
			artifact = state.Path("service", "artifact")
		}
		add(artifact)
	}
}

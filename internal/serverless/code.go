package serverless

import (
	"path/filepath"
	"strings"

	"cleat/internal/cfn"
	"cleat/internal/handlers"
	"cleat/internal/input"
)

// functionRuntime is a function's runtime. ok is false when nothing can be said about its handler.
func (s *service) functionRuntime(f *function) (string, bool) {
	v := s.r.Get(f.raw, "runtime")
	if v == nil || v.Kind == cfn.Null && !s.r.IsBroken(v) {
		v = s.shared.runtime
	}
	if v == nil || v.Kind == cfn.Null && !s.r.IsBroken(v) {
		return frameworkRuntime, true
	}
	name, ok := s.Text(v, "runtime")
	if !ok {
		return frameworkRuntime, false
	}
	if why := handlers.RuntimeFault(name); why != "" && !s.remote(s.nameOf(f)) {
		s.cannotRun(f, v.Place, why)
		return name, false
	}
	return name, true
}

// cannotRun notes that a function cannot run here: a fault when clients depend on it, else a warning, for it may well be
// that nobody calls it (an HTTP API beside the WebSocket API, a handler that a plugin makes).
func (s *service) cannotRun(f *function, at cfn.Place, why string) {
	if len(f.routes) > 0 || s.authorizes(f.key) {
		s.Faultf(at, "%s", why)
		return
	}
	s.Warnf(at, "function %s cannot run, so calls of it fail: %s", f.key, strings.TrimPrefix(why, "function "+f.key+": "))
}

// nameOf is a function's name without a word about what may be wrong with it.
func (s *service) nameOf(f *function) string {
	if name, ok := s.r.At(f.raw, "name").Scalar(); ok {
		return name
	}
	return s.p.Name + "-" + s.p.Stage + "-" + f.key
}

// code is where a function's code is.
type code struct {
	value, handler, runtime, packageType *cfn.Value
	bundle                               bool
	patterns                             []*cfn.Value // of package.patterns: which files of the folder are deployed
}

// patterns are those by which the framework would choose a function's files, its own after the service's.
func (s *service) patterns(f *function) []*cfn.Value {
	var out []*cfn.Value
	for _, v := range []*cfn.Value{s.r.At(s.root, "package", "patterns"), s.r.At(f.raw, "package", "patterns")} {
		v = s.r.Deep(v)
		if !v.Is(cfn.List) {
			continue
		}
		for _, item := range v.Items {
			if text, ok := item.Scalar(); ok {
				out = append(out, cfn.TextOf(item.Place, text))
			}
		}
	}
	return out
}

func (s *service) functionCode(f *function, runtime string, known bool) code {
	image, v := s.r.Get(f.raw, "image"), s.r.Get(f.raw, "handler")
	if image != nil && image.Kind != cfn.Null {
		if !s.remote(s.nameOf(f)) {
			s.Warnf(image.Place, "function %s is a container image, which Cleat does not run: calls of it fail unless remoteFunctions in cleat.yaml says where it runs", f.key)
		}
		return code{
			value:       cfn.MapOf(image.Place, "ImageUri", cfn.TextOf(image.Place, image.Str())),
			packageType: cfn.TextOf(image.Place, "Image"),
		}
	}
	at := f.place
	c := code{value: cfn.MapOf(at, "LocalPath", cfn.TextOf(at, s.Dir)), runtime: cfn.TextOf(at, runtime), bundle: s.bundle}
	handler, ok := s.Text(v, "function "+f.key+": handler")
	if !ok {
		if !s.r.IsBroken(v) && !v.Is(cfn.List) && !v.Is(cfn.Map) {
			s.Faultf(at, "function %s has no `handler`, as in `handler: src/app.handler`%s", f.key, input.Misspelt(f.raw, "handler"))
		}
		return c
	}
	c.handler = cfn.TextOf(v.Place, handler)
	dir := s.Dir
	if module, ok := s.r.Get(f.raw, "module").Scalar(); ok && handlers.KindOf(runtime) == handlers.Python {
		dir = filepath.Join(dir, module)
	}
	if known && !s.remote(s.nameOf(f)) {
		where, why := handlers.Find(s.Reading, "function "+f.key, dir, handler, runtime)
		if artifact := s.artifact(f); why != "" && artifact != "" {
			// The archive is usually packed from a folder of its name.
			unpacked := s.Abs(strings.TrimSuffix(artifact, filepath.Ext(artifact)))
			if again, still := handlers.Find(s.Reading, "function "+f.key, unpacked, handler, runtime); still == "" {
				where, why = again, ""
			} else {
				why += "; package.artifact " + artifact + " is not unpacked"
			}
		}
		if why != "" {
			s.cannotRun(f, v.Place, why)
		}
		dir = where.Dir
		c.handler = cfn.TextOf(v.Place, where.Handler)
		c.bundle = handlers.KindOf(runtime) == handlers.Node && (s.bundle || where.TypeScript)
	}
	c.value = cfn.MapOf(at, "LocalPath", cfn.TextOf(at, dir))
	if dir == s.Dir && !c.bundle { // a bundle has other files than the folder
		c.patterns = s.patterns(f)
	}
	return c
}

// artifact is the archive that the function would be deployed from, "" when the framework packs it itself.
func (s *service) artifact(f *function) string {
	for _, v := range []*cfn.Value{s.r.At(f.raw, "package", "artifact"), s.r.At(s.root, "package", "artifact")} {
		if name := v.Str(); name != "" && !strings.ContainsRune(name, 0) {
			return name
		}
	}
	return ""
}

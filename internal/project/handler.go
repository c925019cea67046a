package project

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"cleat/internal/cfn"
	"cleat/internal/config"
	"cleat/internal/input"
)

// Runtimes that Cleat runs: any version, for it is the machine's own Node or Python that runs them.
var (
	nodeRuntime     = regexp.MustCompile(`^nodejs[0-9]+(\.x|\.[0-9]+)$`)
	pythonRuntime   = regexp.MustCompile(`^python[0-9]+\.[0-9]+$`)
	providedRuntime = regexp.MustCompile(`^(provided(\.al2|\.al2023)?|go1\.x)$`)
	otherRuntime    = regexp.MustCompile(`^(java|dotnet|dotnetcore|ruby)[0-9]`)
	runtimes        = []string{
		"nodejs16.x", "nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x", "python3.8", "python3.9", "python3.10",
		"python3.11", "python3.12", "python3.13", "python3.14", "provided.al2", "provided.al2023",
	}
)

// runtimeKind is how a handler is to be read.
type runtimeKind uint8

const (
	runtimeUnknown runtimeKind = iota // faulted, or run elsewhere
	runtimeNode
	runtimePython
	runtimeProvided
)

func kindOfRuntime(name string) runtimeKind {
	switch {
	case nodeRuntime.MatchString(name):
		return runtimeNode
	case pythonRuntime.MatchString(name):
		return runtimePython
	case providedRuntime.MatchString(name):
		return runtimeProvided
	}
	return runtimeUnknown
}

// runtimeFault says what is wrong with a runtime, "" when nothing is.
func runtimeFault(name string) string {
	switch {
	case kindOfRuntime(name) != runtimeUnknown:
		return ""
	case otherRuntime.MatchString(name):
		return "runtime " + name + " is one that Cleat does not run (it runs nodejs*, python* and provided.*): run the function elsewhere and name it under remoteFunctions in cleat.yaml"
	}
	return "there is no runtime \"" + name + "\"" + input.Suggest(name, runtimes)
}

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
	if why := runtimeFault(name); why != "" && !s.remote(s.nameOf(f)) {
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

// remote reports whether a function of that name runs elsewhere.
func (l *loader) remote(name string) bool {
	return slices.ContainsFunc(l.remotes, func(r config.RemoteFunction) bool { return r.Matches(name) })
}

// code is where a function's code is.
type code struct {
	value, handler, runtime, packageType *cfn.Value
	bundle                               bool
	patterns                             []*cfn.Value // of package.patterns: which files of the folder are deployed
}

func (c code) metadata(at cfn.Place) *cfn.Value {
	own := cfn.MapOf(at, "Place", cfn.TextOf(at, at.String()))
	if c.bundle {
		own.Keys = append(own.Keys, cfn.Entry{Key: "Bundle", Place: at, Value: cfn.BoolOf(at, true)})
	}
	if len(c.patterns) > 0 {
		own.Keys = append(own.Keys, cfn.Entry{Key: "Patterns", Place: at, Value: cfn.ListOf(at, c.patterns...)})
	}
	return cfn.MapOf(at, "cleat", own)
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
	if module, ok := s.r.Get(f.raw, "module").Scalar(); ok && kindOfRuntime(runtime) == runtimePython {
		dir = filepath.Join(dir, module)
	}
	if known && !s.remote(s.nameOf(f)) {
		where, why := s.findHandler("function "+f.key, dir, handler, runtime)
		if artifact := s.artifact(f); why != "" && artifact != "" {
			// The archive is usually packed from a folder of its name.
			unpacked := s.Abs(strings.TrimSuffix(artifact, filepath.Ext(artifact)))
			if again, still := s.findHandler("function "+f.key, unpacked, handler, runtime); still == "" {
				where, why = again, ""
			} else {
				why += "; package.artifact " + artifact + " is not unpacked"
			}
		}
		if why != "" {
			s.cannotRun(f, v.Place, why)
		}
		dir = where.dir
		c.handler = cfn.TextOf(v.Place, where.handler)
		c.bundle = kindOfRuntime(runtime) == runtimeNode && (s.bundle || where.typescript)
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

// located is where a handler was found.
type located struct {
	dir, handler string
	typescript   bool
}

// findHandler looks for the file that a handler names, as Lambda's runtimes do (spec lambda §5-7), with TypeScript on
// top. When it is not there, why says so and names the files looked for.
func (l *loader) findHandler(what, dir, handler, runtime string) (here located, why string) {
	here = located{dir: dir, handler: handler}
	if strings.ContainsRune(handler, 0) || len(handler) > 1024 {
		return here, what + ": the handler is no path of a file"
	}
	if slices.Contains(strings.Split(handler, "/"), "..") {
		return here, fmt.Sprintf("%s: handler %q leaves the function's folder, which Lambda refuses", what, handler)
	}
	var tried []string
	switch kindOfRuntime(runtime) {
	case runtimeNode:
		i := strings.LastIndexByte(handler, '/') + 1
		module, export, ok := strings.Cut(handler[i:], ".")
		if !ok || module == "" || export == "" {
			return here, fmt.Sprintf("%s: handler %q must be file.function, such as src/app.handler for the function `handler` of src/app.js", what, handler)
		}
		for _, ext := range []string{".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".tsx", ".jsx"} {
			tried = append(tried, handler[:i]+module+ext)
		}
	case runtimePython:
		i := strings.LastIndexByte(handler, '.')
		if i <= strings.LastIndexByte(handler, '/')+1 || i == len(handler)-1 {
			return here, fmt.Sprintf("%s: handler %q must be module.function, such as src/app.handler for the function `handler` of src/app.py", what, handler)
		}
		module := strings.ReplaceAll(handler[:i], ".", "/")
		if strings.HasPrefix(handler, ".") { // ./src/app.handler
			module = strings.TrimPrefix(handler[:i], "./")
		}
		tried = []string{module + ".py", module + "/__init__.py"}
	case runtimeProvided:
		return l.findBinary(what, here)
	default:
		return here, ""
	}
	for _, name := range tried {
		if input.IsFile(filepath.Join(dir, filepath.FromSlash(name))) {
			here.typescript = slices.Contains([]string{".ts", ".mts", ".cts", ".tsx", ".jsx"}, filepath.Ext(name))
			return here, ""
		}
	}
	return here, fmt.Sprintf("%s: there is no file for handler %q in %s: looked for %s; if another command makes it, run that first",
		what, handler, l.shownDir(dir), strings.Join(tried, ", "))
}

// findBinary finds the executable of a provided.* runtime: `bootstrap`, or the file that the handler names.
func (l *loader) findBinary(what string, h located) (located, string) {
	sub := filepath.Join(h.dir, filepath.FromSlash(h.handler))
	switch {
	case input.IsFile(filepath.Join(sub, "bootstrap")):
		return located{dir: sub, handler: "bootstrap"}, ""
	case input.IsFile(sub):
		return located{dir: filepath.Dir(sub), handler: filepath.Base(sub)}, ""
	case input.IsFile(filepath.Join(h.dir, "bootstrap")):
		return h, ""
	}
	return h, fmt.Sprintf("%s: there is no executable in %s: looked for %s, %s/bootstrap and bootstrap; build it first",
		what, l.shownDir(h.dir), h.handler, h.handler)
}

func (l *loader) shownDir(dir string) string {
	if shown := l.Shown(dir); shown != "." {
		return shown
	}
	return "the project's folder"
}

// guessRuntime is the runtime of a handler that names none: by the file that is there.
func guessRuntime(dir, handler string) string {
	i := strings.LastIndexByte(handler, '.')
	if i > 0 && input.IsFile(filepath.Join(dir, filepath.FromSlash(strings.ReplaceAll(handler[:i], ".", "/")+".py"))) {
		return "python3.13"
	}
	if i < 0 {
		return "provided.al2023"
	}
	return "nodejs22.x"
}

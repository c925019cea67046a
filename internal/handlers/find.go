// Package handlers finds the files that functions' handlers name, as Lambda's runtimes do, and says of which runtimes Cleat runs
// functions. It looks at the names of files, never into them. Callers are packages serverless and project.
package handlers

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

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

// Kind is how a handler is to be read.
type Kind uint8

// What runs a handler.
const (
	Unknown  Kind = iota // faulted, or run elsewhere
	Node                 // file.function
	Python               // module.function
	Provided             // an executable
)

// KindOf is the kind of a runtime, by its name.
func KindOf(name string) Kind {
	switch {
	case nodeRuntime.MatchString(name):
		return Node
	case pythonRuntime.MatchString(name):
		return Python
	case providedRuntime.MatchString(name):
		return Provided
	}
	return Unknown
}

// RuntimeFault says what is wrong with a runtime, "" when nothing is.
func RuntimeFault(name string) string {
	switch {
	case KindOf(name) != Unknown:
		return ""
	case otherRuntime.MatchString(name):
		return "runtime " + name + " is one that Cleat does not run (it runs nodejs*, python* and provided.*): run the function elsewhere and name it under remoteFunctions in cleat.yaml"
	}
	return "there is no runtime \"" + name + "\"" + input.Suggest(name, runtimes)
}

// Located is where a handler was found.
type Located struct {
	Dir, Handler string
	TypeScript   bool // it must be compiled
}

// Find looks below a folder for the file that a handler names, as Lambda's runtimes do (spec lambda §5-7), with TypeScript on
// top. When it is not there, why says so and names the files looked for. what names the function in it.
func Find(r *input.Reading, what, dir, handler, runtime string) (here Located, why string) {
	here = Located{Dir: dir, Handler: handler}
	if strings.ContainsRune(handler, 0) || len(handler) > 1024 {
		return here, what + ": the handler is no path of a file"
	}
	if slices.Contains(strings.Split(handler, "/"), "..") {
		return here, fmt.Sprintf("%s: handler %q leaves the function's folder, which Lambda refuses", what, handler)
	}
	var tried []string
	switch KindOf(runtime) {
	case Node:
		i := strings.LastIndexByte(handler, '/') + 1
		module, export, ok := strings.Cut(handler[i:], ".")
		if !ok || module == "" || export == "" {
			return here, fmt.Sprintf("%s: handler %q must be file.function, such as src/app.handler for the function `handler` of src/app.js", what, handler)
		}
		for _, ext := range []string{".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".tsx", ".jsx"} {
			tried = append(tried, handler[:i]+module+ext)
		}
	case Python:
		i := strings.LastIndexByte(handler, '.')
		if i <= strings.LastIndexByte(handler, '/')+1 || i == len(handler)-1 {
			return here, fmt.Sprintf("%s: handler %q must be module.function, such as src/app.handler for the function `handler` of src/app.py", what, handler)
		}
		module := strings.ReplaceAll(handler[:i], ".", "/")
		if strings.HasPrefix(handler, ".") { // ./src/app.handler
			module = strings.TrimPrefix(handler[:i], "./")
		}
		tried = []string{module + ".py", module + "/__init__.py"}
	case Provided:
		return findBinary(r, what, here)
	default:
		return here, ""
	}
	for _, name := range tried {
		if input.IsFile(filepath.Join(dir, filepath.FromSlash(name))) {
			here.TypeScript = slices.Contains([]string{".ts", ".mts", ".cts", ".tsx", ".jsx"}, filepath.Ext(name))
			return here, ""
		}
	}
	return here, fmt.Sprintf("%s: there is no file for handler %q in %s: looked for %s; if another command makes it, run that first",
		what, handler, shownDir(r, dir), strings.Join(tried, ", "))
}

// findBinary finds the executable of a provided.* runtime: `bootstrap`, or the file that the handler names.
func findBinary(r *input.Reading, what string, h Located) (Located, string) {
	sub := filepath.Join(h.Dir, filepath.FromSlash(h.Handler))
	switch {
	case input.IsFile(filepath.Join(sub, "bootstrap")):
		return Located{Dir: sub, Handler: "bootstrap"}, ""
	case input.IsFile(sub):
		return Located{Dir: filepath.Dir(sub), Handler: filepath.Base(sub)}, ""
	case input.IsFile(filepath.Join(h.Dir, "bootstrap")):
		return h, ""
	}
	return h, fmt.Sprintf("%s: there is no executable in %s: looked for %s, %s/bootstrap and bootstrap; build it first",
		what, shownDir(r, h.Dir), h.Handler, h.Handler)
}

func shownDir(r *input.Reading, dir string) string {
	if shown := r.Shown(dir); shown != "." {
		return shown
	}
	return "the project's folder"
}

// GuessRuntime is the runtime of a handler that names none: by the file that is there.
func GuessRuntime(dir, handler string) string {
	i := strings.LastIndexByte(handler, '.')
	if i > 0 && input.IsFile(filepath.Join(dir, filepath.FromSlash(strings.ReplaceAll(handler[:i], ".", "/")+".py"))) {
		return "python3.13"
	}
	if i < 0 {
		return "provided.al2023"
	}
	return "nodejs22.x"
}

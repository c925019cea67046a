package lambda

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/jsbundle"
)

// language is the family of a runtime.
type language int

const (
	languageOther language = iota // provided.*: the program speaks the Runtime API itself
	languageNode
	languagePython
)

// plan is how to start a worker of a function, as long as its definition and code stay.
type plan struct {
	language language
	path     string // of the program, absolute
	args     []string
	marks    bool     // the runtime marks the end of each invocation's output
	bundle   string   // file; empty when the code runs as it is
	inputs   []string // files that the bundle was made of, absolute
}

// makePlan finds out how to run a function. What the user can mend is a *fault.
func (p *Pool) makePlan(def apigw.Function) (*plan, error) {
	if info, err := os.Stat(def.CodeDir); err != nil || !info.IsDir() {
		return nil, &fault{
			kind:    "Runtime.InvalidEntrypoint",
			message: "the code folder " + def.CodeDir + " does not exist",
			cause:   place(def) + ": the code folder " + def.CodeDir + " of function " + def.Name + " does not exist",
		}
	}
	switch {
	case strings.HasPrefix(def.Runtime, "nodejs"):
		return p.nodePlan(def)
	case strings.HasPrefix(def.Runtime, "python"):
		return p.pythonPlan(def)
	case strings.HasPrefix(def.Runtime, "provided"), def.Runtime == "go1.x":
		return providedPlan(def)
	}
	return nil, &fault{
		kind:    "Runtime.InvalidRuntime",
		message: "runtime " + strconv.Quote(def.Runtime) + " is not run on this machine",
		cause:   fmt.Sprintf("%s: runtime %q of function %s is not run on this machine: nodejs*, python3.* and provided.* are", place(def), def.Runtime, def.Name),
	}
}

func (p *Pool) nodePlan(def apigw.Function) (*plan, error) {
	node, err := p.interpreter(p.o.NodePath, "node")
	if err != nil {
		return nil, missingInterpreter(def, "Node.js", "node", err)
	}
	pl := &plan{language: languageNode, path: node, marks: true}
	pl.args = []string{
		"--max-old-space-size=" + strconv.Itoa(memorySize(def)), // as AWS bounds it
		filepath.Join(p.dir, nodeBootstrap),
	}
	entry, ok, err := jsbundle.Entry(def.CodeDir, def.Handler, def.Bundle)
	if err != nil {
		return nil, err
	}
	if !ok {
		return pl, nil
	}
	if err := p.bundle(def, entry, pl); err != nil {
		return nil, err
	}
	return pl, nil
}

// bundle lets a plan run a bundle of a handler's file in place of that file.
func (p *Pool) bundle(def apigw.Function, entry string, pl *plan) error {
	b, err := jsbundle.Make(def.CodeDir, entry)
	if wrong, ok := errors.AsType[*jsbundle.Error](err); ok {
		return bundleFault(def, wrong)
	}
	if err != nil {
		return err
	}
	for _, warning := range b.Warnings {
		p.log.Debug("bundle", "function", def.Name, "warning", warning)
	}
	as, ext := b.As, ".cjs" // the runtime gives a CommonJS bundle the path of its source
	if b.Module {
		as, ext = "", ".mjs"
	}
	pl.bundle, pl.inputs = filepath.Join(p.dir, "bundle-"+randomHex(8)+ext), b.Inputs
	pl.args = append(pl.args, pl.bundle, as)
	if err := os.WriteFile(pl.bundle, b.Text, 0o600); err != nil {
		return fmt.Errorf("write the bundle of function %s: %w", def.Name, err)
	}
	return nil
}

func bundleFault(def apigw.Function, wrong *jsbundle.Error) error {
	f := &fault{kind: "Runtime.UserCodeSyntaxError", message: wrong.Text, cause: wrong.Text}
	if wrong.Unresolved {
		f.kind = "Runtime.ImportModuleError"
	}
	if !wrong.Placed {
		f.cause = place(def) + ": " + wrong.Text
	}
	return f
}

func (p *Pool) pythonPlan(def apigw.Function) (*plan, error) {
	python, err := p.findPython(def.CodeDir)
	if err != nil {
		return nil, missingInterpreter(def, "Python", "python3", err)
	}
	return &plan{language: languagePython, path: python, args: []string{"-u", filepath.Join(p.dir, pythonBootstrap)}, marks: true}, nil
}

// findPython prefers, in this order: the pool's option, an activated virtual environment, the project's own one in or
// above the code folder, python3 and python of the PATH.
func (p *Pool) findPython(codeDir string) (string, error) {
	if p.o.PythonPath != "" {
		return p.interpreter(p.o.PythonPath, "")
	}
	bin := filepath.Join("bin", "python")
	if runtime.GOOS == "windows" {
		bin = filepath.Join("Scripts", "python.exe")
	}
	if env := p.base.get("VIRTUAL_ENV"); env != "" {
		if python := filepath.Join(env, bin); isExecutable(python) {
			return python, nil
		}
	}
	dir := codeDir
	for range 6 { // a project's folder is not far above its functions
		for _, env := range []string{".venv", "venv"} {
			if python := filepath.Join(dir, env, bin); isExecutable(python) {
				return python, nil
			}
		}
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil || filepath.Dir(dir) == dir {
			break
		}
		dir = filepath.Dir(dir)
	}
	python, err := p.interpreter("", "python3")
	if err != nil {
		if python, other := p.interpreter("", "python"); other == nil {
			return python, nil
		}
	}
	return python, err
}

func providedPlan(def apigw.Function) (*plan, error) {
	path := filepath.Join(def.CodeDir, "bootstrap")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	f := &fault{kind: "Runtime.InvalidEntrypoint", message: "Couldn't find valid bootstrap(s): [" + path + "]"}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.cause = fmt.Sprintf("%s: function %s needs an executable file %s: build it for %s/%s, such as with go build -o bootstrap", place(def), def.Name, path, runtime.GOOS, runtime.GOARCH)
		return nil, f
	case err != nil:
		f.cause = fmt.Sprintf("%s: function %s: %v", place(def), def.Name, err)
		return nil, f
	case !isExecutable(path) || info.IsDir():
		f.cause = fmt.Sprintf("%s: %s of function %s is not executable: chmod +x %s", place(def), path, def.Name, path)
		return nil, f
	}
	return &plan{path: path}, nil
}

func missingInterpreter(def apigw.Function, language, program string, err error) error {
	return &fault{
		kind:    "Runtime.InvalidEntrypoint",
		message: program + " was not found: " + err.Error(),
		cause:   fmt.Sprintf("%s: function %s (%s) needs %s: %v", place(def), def.Name, def.Runtime, language, err),
	}
}

// interpreter returns the absolute path of a program: a given one, or else the first of that name in the PATH of the
// workers' environment.
func (p *Pool) interpreter(given, name string) (string, error) {
	if given != "" {
		if !isExecutable(given) {
			return "", fmt.Errorf("%s is not an executable file", given)
		}
		return filepath.Abs(given)
	}
	for _, dir := range filepath.SplitList(p.base.get("PATH")) {
		if dir == "" || !filepath.IsAbs(dir) {
			continue // the working folder is a function's, not the user's
		}
		for _, ext := range executableExtensions() {
			if path := filepath.Join(dir, name+ext); isExecutable(path) {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("no %s in PATH", name)
}

func executableExtensions() []string {
	if runtime.GOOS == "windows" {
		return []string{".exe", ".cmd", ".bat"}
	}
	return []string{""}
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && (runtime.GOOS == "windows" || info.Mode()&0o111 != 0)
}

// place is where a function is defined, for messages.
func place(def apigw.Function) string {
	if def.Place != "" {
		return def.Place
	}
	return "function " + def.Name
}

// faultOutcome is what an invocation gives whose function could not be started; false when err is no *fault.
func faultOutcome(err error, j *job) (outcome, bool) {
	f, ok := errors.AsType[*fault](err)
	if !ok || errors.Is(err, context.Canceled) {
		return outcome{}, false
	}
	return f.outcome(j.requestID), true
}

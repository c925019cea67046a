package project

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cleat/internal/awsapi"
	"cleat/internal/cfn"
	"cleat/internal/config"
	"cleat/internal/input"
	"cleat/internal/serverless"
	"cleat/internal/variable"
)

// Options say how a project is to be read. The zero value reads it with the project's own settings and an empty
// environment.
type Options struct {
	Stage  string // empty: the project's own, "dev" if it has none
	Region string // empty: the project's own, awsapi.DefaultRegion if it has none
	// Params are the values of --param k=v: ${param:k}. A key that is a whole address gives the value of what only AWS or
	// another tool could say: "ssm:/app/key", "cf:stack.Output". Nil is none.
	Params map[string]string
	// Opt are further values of ${opt:…}; stage and region need not be repeated. Nil is none.
	Opt map[string]string
	// Env is the process environment, "NAME=value", as os.Environ returns it. Nil is an empty environment.
	Env []string
	// EnvFile is a further file of variables (--env-file), for ${env:…} and for the functions; it comes before Env. A
	// relative path is relative to the project's folder. Empty: none.
	EnvFile string
	// NodePath is the Node that runs the JavaScript files of ${file(x.js)}. Empty: the one in Env's PATH.
	NodePath string
	// CodeDir is an absolute path: the folder where code is kept that templates carry inside or that is in archives. Empty: a
	// function of such code is a fault.
	CodeDir string
}

// Project is a project as it was read. It is not changed after Load returned it.
type Project struct {
	Name   string // the service's name
	Dir    string // absolute path of the project's folder, links resolved; the paths below begin with it
	Stage  string
	Region string
	File   string // the project file, relative to Dir
	// Template is a CloudFormation template: {"Resources": {…}, "Outputs": {…}, …}. Functions whose code is on this
	// machine have Code {"LocalPath": absolute folder} and Metadata {"cleat": {"Place": …, "Bundle": true, "Patterns": […]}}.
	Template *cfn.Value
	// Parameters are values for the template's parameters. Nil when there are none.
	Parameters map[string]string
	// Environment are variables that every function gets beneath its own: of --env-file, of serverless-dotenv-plugin.
	Environment map[string]string
	// Warnings are what will be different from what the author may expect, each named once.
	Warnings []cfn.Fault
	// LeftAlone names what Cleat read and gives no effect to: other kinds of events, of resources, of sections.
	LeftAlone []string
	// Node is what cleat.yaml says of the node.
	config.Node
	// Files are the absolute paths of the files the project was read from, those that were looked for and are absent (.env)
	// among them: a change of any of them calls for another Load. A file that is a link stands there with its target.
	Files []string
	// Folders are the absolute paths of folders outside Dir that functions' code is in.
	Folders []string
}

// The names under which a project is looked for, in this order.
var (
	cleatNames      = []string{"cleat.yaml", "cleat.yml"}
	serverlessNames = []string{"serverless.yml", "serverless.yaml", "serverless.json"}
	programNames    = []string{"serverless.ts", "serverless.js", "serverless.mjs", "serverless.cjs"}
	templateNames   = []string{"template.yaml", "template.yml", "template.json"}
	builtNames      = []string{assemblyName, packagedName}
)

// The folders that tools leave templates in.
const (
	assemblyName = "cdk.out"     // cdk synth
	packagedName = ".serverless" // serverless package
)

// Load reads the project in path, a folder or the project file itself. The error is a cfn.Faults that holds every fault
// found, each with its place; the project returned with it is what could be made of
// the rest: for further checks, not to be run.
//
// In a folder cleat.yaml comes first. A cleat.yaml that has neither routes nor functions goes on top of the
// serverless.yml beside it (or the file that its "project" names): limits, remote functions, stage variables.
func Load(path string, o Options) (*Project, error) {
	return newLoader(o).run(path)
}

func (l *loader) run(path string) (*Project, error) {
	p := l.load(path)
	err := l.Err()
	if p == nil {
		p = &Project{}
	}
	p.Warnings, p.LeftAlone, p.Files = l.Warnings, l.leftAlone, l.Files()
	return p, err
}

// loader is one reading of a project: where to, and what was found on the way.
type loader struct {
	*input.Reading
	vars      *variable.Scope
	leftAlone []string
	remotes   []config.RemoteFunction // of cleat.yaml
	stackName string                  // of cleat.yaml, for a template that it goes on top of; empty: none
	codeDir   string                  // Options.CodeDir
}

func newLoader(o Options) *loader {
	env := make(map[string]string, len(o.Env))
	for _, kv := range o.Env {
		if k, v, ok := strings.Cut(kv, "="); ok {
			env[k] = v
		}
	}
	r := input.New()
	return &loader{Reading: r, codeDir: o.CodeDir, vars: variable.NewScope(r, variable.Options{
		Stage: o.Stage, Region: o.Region, Params: o.Params, Opt: o.Opt, Env: env, EnvFile: o.EnvFile, NodePath: o.NodePath,
	})}
}

func (l *loader) load(path string) *Project {
	abs, err := filepath.Abs(path)
	if err != nil {
		l.Faultf(cfn.Place{File: path}, "not a folder or file that can be read: %v", err)
		return nil
	}
	info, err := os.Stat(abs)
	if err != nil {
		l.Faultf(cfn.Place{File: path}, "not a folder or file that can be read: %v", input.Plain(err))
		return nil
	}
	if info.IsDir() && !slices.Contains(builtNames, filepath.Base(abs)) {
		l.Dir = input.RealPath(abs)
		return l.loadDir(path)
	}
	l.Dir = input.RealPath(filepath.Dir(abs))
	return l.loadFile(filepath.Base(abs))
}

func (l *loader) loadDir(shown string) *Project {
	for _, names := range [][]string{cleatNames, serverlessNames, programNames, templateNames, builtNames} {
		for _, name := range names {
			_, err := os.Stat(l.Abs(name))
			switch {
			case err == nil:
				return l.loadFile(name)
			case !errors.Is(err, fs.ErrNotExist):
				l.Faultf(cfn.Place{File: filepath.Join(shown, name)}, "cannot be looked at: %v", input.Plain(err))
				return nil
			}
		}
	}
	hint := ""
	if l.Exists("cdk.json") {
		hint = "; cdk.json is here, so run `cdk synth` to make cdk.out"
	}
	l.Faultf(cfn.Place{File: shown}, "no project here: looked for %s%s",
		strings.Join(slices.Concat(cleatNames, serverlessNames, templateNames, builtNames), ", "), hint)
	return nil
}

func (l *loader) loadFile(name string) *Project {
	at := cfn.Place{File: name}
	switch base, ext := strings.TrimSuffix(name, filepath.Ext(name)), filepath.Ext(name); {
	case slices.Contains(cleatNames, name):
		return l.loadCleat(name)
	case slices.Contains(serverlessNames, name):
		return l.loadServerless(name)
	case name == assemblyName:
		return l.loadAssembly(name)
	case name == packagedName:
		return l.loadPackaged(name)
	case slices.Contains([]string{".ts", ".js", ".mjs", ".cjs"}, ext):
		l.Faultf(at, "%s is a program, which Cleat does not run: write its result out with `serverless print --format json > serverless.json` and load that", name)
	case slices.Contains(templateNames, name):
		return l.loadTemplate(name)
	case ext == ".yml" || ext == ".yaml" || ext == ".json":
		// serverless.dev.yml, services/chat.cleat.yaml: any name, told apart by what is in it.
		if strings.HasSuffix(base, "cleat") || strings.HasPrefix(base, "cleat") {
			return l.loadCleat(name)
		}
		if root := l.Parse(name); root.Get("service") != nil && root.Get("provider") != nil {
			return l.loadServerless(name)
		} else if root.Get("Resources") != nil {
			return l.loadTemplate(name)
		}
		l.Faultf(at, "not a project file that Cleat knows: it has no `service` and `provider` as serverless.yml does, no `Resources` as a template does, and it is not named cleat.yaml")
	default:
		l.Faultf(at, "not a project file that Cleat knows: expected %s", strings.Join(slices.Concat(cleatNames, serverlessNames, templateNames, builtNames), ", "))
	}
	return nil
}

// loadServerless reads serverless.yml, .yaml or .json.
func (l *loader) loadServerless(file string) *Project {
	p := l.newProject(file)
	root := l.Parse(file)
	if root == nil {
		if !l.Unread(file) {
			l.Faultf(cfn.Place{File: file}, "the file is empty: it needs at least `service` and `provider`")
		}
		return nil
	}
	if !root.Is(cfn.Map) {
		l.Faultf(root.Place, "a project is a map with `service`, `provider` and `functions`, not %s", root.Kind)
		return nil
	}
	for _, other := range templateNames {
		if l.Exists(other) {
			l.Warnf(cfn.Place{File: other}, "%s is not read: %s describes this project", other, file)
		}
	}
	s := serverless.Read(l.vars, root, serverless.Options{File: file, Remote: l.remote})
	p.Name, p.Stage, p.Region, p.Template, p.Environment = s.Name, s.Stage, s.Region, s.Template, s.Environment
	for _, what := range s.LeftAlone {
		l.leaveAlone(what)
	}
	return p
}

func (l *loader) newProject(file string) *Project {
	l.Watch(file)
	return &Project{Dir: l.Dir, File: file, Stage: l.vars.Stage, Region: l.vars.Region, Node: config.Default()}
}

func (l *loader) leaveAlone(what string) {
	if !slices.Contains(l.leftAlone, what) {
		l.leftAlone = append(l.leftAlone, what)
	}
}

// remote reports whether a function of that name runs elsewhere.
func (l *loader) remote(name string) bool {
	return slices.ContainsFunc(l.remotes, func(r config.RemoteFunction) bool { return r.Matches(name) })
}

// setDefaults fills in what every kind of project shares.
func (p *Project) setDefaults() {
	if p.Stage == "" {
		p.Stage = variable.DefaultStage
	}
	if p.Region == "" {
		p.Region = awsapi.DefaultRegion
	}
}

package project

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cleat/internal/awsapi"
	"cleat/internal/cfn"
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
}

// Project is a project as it was read. It is not changed after Load returned it.
type Project struct {
	Name   string // the service's name
	Dir    string // absolute path of the project's folder, links resolved; the paths below begin with it
	Stage  string
	Region string
	File   string // the project file, relative to Dir
	// Template is a CloudFormation template: {"Resources": {…}, "Outputs": {…}, …}. Functions whose code is on this
	// machine have Code {"LocalPath": absolute folder} and Metadata {"cleat": {"Place": …, "Bundle": true}}.
	Template *cfn.Value
	// Parameters are values for the template's parameters. Nil when there are none.
	Parameters map[string]string
	// Environment are variables that every function gets beneath its own: of --env-file, of serverless-dotenv-plugin.
	Environment map[string]string
	// Warnings are what will be different from what the author may expect, each named once.
	Warnings []cfn.Fault
	// LeftAlone names what Cleat read and gives no effect to: other kinds of events, of resources, of sections.
	LeftAlone []string
	// Limits are the limits that cleat.yaml sets.
	Limits Limits
	// Logs say where access and execution logs go, as cleat.yaml has it.
	Logs Logs
	// ConnectionHeaders says whether HTTP backends get Cleat's own headers (connection ID and the like) on top of AWS's.
	// True unless cleat.yaml turns it off.
	ConnectionHeaders bool
	// Remote are the functions that run elsewhere, in the order of cleat.yaml; the first pattern that fits counts.
	Remote []RemoteFunction
	// Users are those who may sign requests.
	Users Users
	// Prices are those that cleat.yaml sets.
	Prices Prices
	// AWS says where the AWS services of integrations are, and VPCLinks where private integrations lead: of cleat.yaml.
	AWS      AWSServices
	VPCLinks []VPCLink
	// Files are the absolute paths of the files the project was read from, those that were looked for and are absent (.env)
	// among them: a change of any of them calls for another Load. A file that is a link stands there with its target.
	Files []string
}

// RemoteFunction says where functions run that Cleat does not run itself.
type RemoteFunction struct {
	Pattern  string // of function names, with * for any text
	Endpoint string // base URL of a Lambda Invoke API
	Region   string // empty: the project's
	// Credentials to sign with. Empty: those of the process that calls.
	AccessKeyID, SecretAccessKey, SessionToken string
	Place                                      cfn.Place
}

// Matches reports whether the function of that name is meant. In the pattern "*" stands for any text.
func (r RemoteFunction) Matches(function string) bool { return globMatch(r.Pattern, function) }

func globMatch(pattern, s string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, first)
	if !ok {
		return false
	}
	parts := strings.Split(rest, "*")
	last := parts[len(parts)-1]
	for _, part := range parts[:len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return strings.HasSuffix(s, last)
}

const (
	defaultStage = "dev"
	maxFileSize  = 4 << 20 // bytes of one file
	maxFiles     = 500     // that one project is read from
)

// The names under which a project is looked for, in this order.
var (
	cleatNames      = []string{"cleat.yaml", "cleat.yml"}
	serverlessNames = []string{"serverless.yml", "serverless.yaml", "serverless.json"}
	programNames    = []string{"serverless.ts", "serverless.js", "serverless.mjs", "serverless.cjs"}
	templateNames   = []string{"template.yaml", "template.yml", "template.json"}
	builtNames      = []string{"cdk.out", ".serverless"}
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
	err := l.sorted().Err()
	if p == nil {
		p = &Project{}
	}
	p.Warnings, p.LeftAlone = l.warnings, l.leftAlone
	for _, name := range l.files {
		abs := l.abs(name)
		p.Files = append(p.Files, abs)
		if real := realPath(abs); real != abs {
			p.Files = append(p.Files, real)
		}
	}
	return p, err
}

// loader is one reading of a project: where to, and what was found on the way.
type loader struct {
	opts Options
	env  map[string]string // Options.Env
	dir  string            // absolute

	faults    cfn.Faults
	warnings  cfn.Faults
	leftAlone []string
	files     []string              // as shown
	parsed    map[string]*cfn.Value // by absolute path
	remotes   []RemoteFunction      // of cleat.yaml
	unread    map[string]bool       // absolute paths of files that have faults
	suspects  map[string]bool       // texts of faults and warnings already given
	programs  map[string]*program   // that were run
	badRegion string                // has its fault

	programTime time.Duration // that each may take
}

func newLoader(o Options) *loader {
	env := make(map[string]string, len(o.Env))
	for _, kv := range o.Env {
		if k, v, ok := strings.Cut(kv, "="); ok {
			env[k] = v
		}
	}
	return &loader{opts: o, env: env, parsed: map[string]*cfn.Value{}, unread: map[string]bool{}, suspects: map[string]bool{}, programs: map[string]*program{}, programTime: maxProgramTime}
}

func (l *loader) load(path string) *Project {
	abs, err := filepath.Abs(path)
	if err != nil {
		l.faultf(cfn.Place{File: path}, "not a folder or file that can be read: %v", err)
		return nil
	}
	info, err := os.Stat(abs)
	if err != nil {
		l.faultf(cfn.Place{File: path}, "not a folder or file that can be read: %v", plain(err))
		return nil
	}
	if info.IsDir() && !slices.Contains(builtNames, filepath.Base(abs)) {
		l.dir = realPath(abs)
		return l.loadDir(path)
	}
	l.dir = realPath(filepath.Dir(abs))
	return l.loadFile(filepath.Base(abs))
}

func (l *loader) loadDir(shown string) *Project {
	for _, names := range [][]string{cleatNames, serverlessNames, programNames, templateNames, builtNames} {
		for _, name := range names {
			_, err := os.Stat(l.abs(name))
			switch {
			case err == nil:
				return l.loadFile(name)
			case !errors.Is(err, fs.ErrNotExist):
				l.faultf(cfn.Place{File: filepath.Join(shown, name)}, "cannot be looked at: %v", plain(err))
				return nil
			}
		}
	}
	hint := ""
	if l.exists("cdk.json") {
		hint = "; cdk.json is here, so run `cdk synth` to make cdk.out"
	}
	l.faultf(cfn.Place{File: shown}, "no project here: looked for %s%s",
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
	case slices.Contains(builtNames, name):
		l.faultf(at, "%s is not read yet: this version reads serverless.yml and cleat.yaml", name)
	case slices.Contains([]string{".ts", ".js", ".mjs", ".cjs"}, ext):
		l.faultf(at, "%s is a program, which Cleat does not run: write its result out with `serverless print --format json > serverless.json` and load that", name)
	case slices.Contains(templateNames, name):
		l.faultf(at, "%s (SAM or CloudFormation) is not read yet: this version reads serverless.yml and cleat.yaml", name)
	case ext == ".yml" || ext == ".yaml" || ext == ".json":
		// serverless.dev.yml, services/chat.cleat.yaml: any name, told apart by what is in it.
		if strings.HasSuffix(base, "cleat") || strings.HasPrefix(base, "cleat") {
			return l.loadCleat(name)
		}
		if root := l.parse(name); root.Get("service") != nil && root.Get("provider") != nil {
			return l.loadServerless(name)
		} else if root.Get("Resources") != nil {
			l.faultf(at, "%s (SAM or CloudFormation) is not read yet: this version reads serverless.yml and cleat.yaml", name)
			return nil
		}
		l.faultf(at, "not a project file that Cleat knows: it has no `service` and `provider` as serverless.yml does, and it is not named cleat.yaml")
	default:
		l.faultf(at, "not a project file that Cleat knows: expected %s", strings.Join(slices.Concat(cleatNames, serverlessNames), ", "))
	}
	return nil
}

func (l *loader) newProject(file string) *Project {
	l.watchFile(file)
	return &Project{Dir: l.dir, File: file, Stage: l.opts.Stage, Region: l.opts.Region, ConnectionHeaders: true}
}

// faultf notes a fault, once for the same text at the same place.
func (l *loader) faultf(at cfn.Place, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if key := "f" + at.String() + text; !l.suspects[key] {
		l.suspects[key] = true
		l.faults.Addf(at, "%s", text)
	}
}

// warnf notes a warning, once for the same text wherever it arises.
func (l *loader) warnf(at cfn.Place, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if key := "w" + text; !l.suspects[key] {
		l.suspects[key] = true
		l.warnings.Addf(at, "%s", text)
	}
}

func (l *loader) leaveAlone(what string) {
	if !slices.Contains(l.leftAlone, what) {
		l.leftAlone = append(l.leftAlone, what)
	}
}

// sorted are the faults by file (in the order the files were come upon) and line.
func (l *loader) sorted() cfn.Faults {
	slices.SortStableFunc(l.faults, func(a, b cfn.Fault) int {
		if a.Place.File != b.Place.File {
			return slices.Index(l.files, a.Place.File) - slices.Index(l.files, b.Place.File)
		}
		return a.Place.Line - b.Place.Line
	})
	return l.faults
}

// realPath is an absolute path with links resolved. Of a file that is not there, its folder's are.
func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path))
	}
	return filepath.Clean(path)
}

func (l *loader) abs(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(l.dir, name)
}

// shown is a file as the user would name it: relative to the project where it lies in it.
func (l *loader) shown(name string) string {
	abs := l.abs(name)
	if rel, err := filepath.Rel(l.dir, abs); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return filepath.ToSlash(abs)
}

func (l *loader) exists(name string) bool {
	_, err := os.Stat(l.abs(name))
	return err == nil
}

func (l *loader) watchFile(name string) {
	if shown := l.shown(name); !slices.Contains(l.files, shown) && len(l.files) < maxFiles {
		l.files = append(l.files, shown)
	}
}

var errTooLarge = fmt.Errorf("larger than %d MiB", maxFileSize>>20)

// readFile reads a regular file of bounded size and remembers that it was looked for.
func (l *loader) readFile(name string) ([]byte, error) {
	l.watchFile(name)
	if len(l.files) >= maxFiles {
		return nil, fmt.Errorf("the project is read from more than %d files", maxFiles)
	}
	info, err := os.Stat(l.abs(name)) // before it is opened: opening a pipe would wait
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(l.abs(name))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(text) > maxFileSize {
		return nil, errTooLarge
	}
	return text, nil
}

// parse reads a YAML or JSON file, once. What is wrong with it becomes faults; the value is nil then.
func (l *loader) parse(name string) *cfn.Value {
	return l.parseFor(name, cfn.Place{File: l.shown(name)}, "")
}

// parseNamed parses the file that a setting names. When it cannot be read, the fault stands where the name does.
func (l *loader) parseNamed(v *cfn.Value) *cfn.Value { return l.parseFor(v.Text, v.Place, v.Text+" ") }

func (l *loader) parseFor(name string, at cfn.Place, subject string) *cfn.Value {
	abs := l.abs(name)
	if v, ok := l.parsed[abs]; ok {
		return v
	}
	l.parsed[abs] = nil
	text, err := l.readFile(name)
	if err != nil {
		l.unread[abs] = true
		l.faultf(at, "%scannot be read: %v", subject, plain(err))
		return nil
	}
	v, err := cfn.Parse(l.shown(name), text)
	if err != nil {
		l.unread[abs] = true
		l.addFaults(l.shown(name), err)
		return nil
	}
	l.parsed[abs] = v
	return v
}

func (l *loader) addFaults(file string, err error) {
	if faults, ok := errors.AsType[cfn.Faults](err); ok {
		for _, f := range faults {
			l.faultf(f.Place, "%s", f.Message)
		}
		return
	}
	l.faultf(cfn.Place{File: file}, "%v", err)
}

// plain is an error without the operation and path that os puts before it: the fault's place says those.
func plain(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// environment is Options.Env with what Options.EnvFile sets on top, which is also what the functions get of it.
func (l *loader) environment() (env, functions map[string]string) {
	env, functions = map[string]string{}, map[string]string{}
	if l.opts.EnvFile != "" {
		fill(functions, l.loadEnv(l.opts.EnvFile, l.env, true))
	}
	fill(env, functions)
	fill(env, l.env)
	return env, functions
}

// setDefaults fills in what every kind of project shares.
func (p *Project) setDefaults() {
	if p.Stage == "" {
		p.Stage = defaultStage
	}
	if p.Region == "" {
		p.Region = awsapi.DefaultRegion
	}
}

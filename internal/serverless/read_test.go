package serverless_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"cleat/internal/cfn"
	"cleat/internal/input"
	"cleat/internal/serverless"
	"cleat/internal/testkit/golden"
	"cleat/internal/variable"
)

// reading is what came of a serverless.yml.
type reading struct {
	*serverless.Service
	*input.Reading
}

// readDir reads the serverless.yml, or .json, of a folder, as package project does.
func readDir(dir string, o variable.Options) (*reading, error) {
	r := input.New()
	r.Dir = dir
	file := "serverless.yml"
	for _, other := range []string{"serverless.yaml", "serverless.json"} {
		if r.Exists(other) {
			file = other
		}
	}
	r.Watch(file)
	root := r.Parse(file)
	if !root.Is(cfn.Map) {
		r.Faultf(root.At(), "no map")
		return &reading{Reading: r}, r.Err()
	}
	s := serverless.Read(variable.NewScope(r, o), root, serverless.Options{File: file, Remote: func(string) bool { return false }})
	return &reading{Service: s, Reading: r}, r.Err()
}

func read(t *testing.T, o variable.Options, archive string) (*reading, error) {
	t.Helper()
	return readDir(golden.Write(t, txtar.Parse([]byte(archive)).Files), o)
}

const small = `-- serverless.yml --
service: small
provider: { name: aws, runtime: nodejs20.x }
functions:
  f:
    handler: f.handler
    events:
      - websocket: $default
-- f.js --
`

// TestRead reads every project of testdata/read.
func TestRead(t *testing.T) {
	t.Parallel()
	golden.Archives(t, "testdata/read/*.txtar", func(t *testing.T, ar *txtar.Archive) string {
		t.Helper()
		dir := golden.Write(t, ar.Files)
		r, err := readDir(dir, readOptions(t, ar.Comment))
		return strings.ReplaceAll(show(r, err), dir, "$DIR")
	})
}

func readOptions(t *testing.T, comment []byte) (o variable.Options) {
	t.Helper()
	o.Env, o.Params, o.Opt = map[string]string{}, map[string]string{}, map[string]string{}
	golden.Options(comment, func(flag, value string) {
		k, v, _ := strings.Cut(value, "=")
		switch flag {
		case "--stage":
			o.Stage = value
		case "--region":
			o.Region = value
		case "--env-file":
			o.EnvFile = value
		case "--env":
			o.Env[k] = v
		case "--param":
			o.Params[k] = v
		case "--opt":
			o.Opt[k] = v
		default:
			t.Fatalf("unknown option %s", flag)
		}
	})
	return o
}

func show(r *reading, err error) string {
	var b strings.Builder
	if err != nil {
		fmt.Fprintf(&b, "faults:\n%v\n", err)
		return b.String()
	}
	files := r.Files()
	fmt.Fprintf(&b, "name: %s\nstage: %s\nregion: %s\nfile: %s\nfiles: %s\n", r.Name, r.Stage, r.Region, filepath.Base(files[0]), strings.Join(files, " "))
	for _, w := range r.Warnings {
		fmt.Fprintf(&b, "warning: %v\n", w)
	}
	for _, what := range r.LeftAlone {
		fmt.Fprintf(&b, "left alone: %s\n", what)
	}
	for _, k := range slices.Sorted(maps.Keys(r.Environment)) {
		fmt.Fprintf(&b, "env: %s=%q\n", k, r.Environment[k])
	}
	b.WriteString(golden.Value(r.Template) + "\n")
	return b.String()
}

// Every value of the template knows where it was written: control names the place when something cannot be.
func TestPlaces(t *testing.T) {
	t.Parallel()
	p, err := read(t, variable.Options{}, small)
	if err != nil {
		t.Fatal(err)
	}
	var walk func(path string, v *cfn.Value)
	walk = func(path string, v *cfn.Value) {
		if v.Place.File != "serverless.yml" || v.Place.Line == 0 {
			t.Errorf("%s has place %+v", path, v.Place)
		}
		for _, item := range v.Items {
			walk(path+"[]", item)
		}
		for _, e := range v.Keys {
			walk(path+"."+e.Key, e.Value)
		}
	}
	for _, e := range p.Template.Get("Resources").Keys {
		walk(e.Key, e.Value)
	}
	if got := p.Template.Path("Resources", "SdefaultWebsocketsRoute").At().Line; got != 7 {
		t.Errorf("the route has line %d, want 7", got)
	}
}

// The deployment's logical ID changes with the API's definition and with nothing else: that is what deploys anew.
func TestDeploymentID(t *testing.T) {
	t.Parallel()
	id := func(archive string) string {
		p, err := read(t, variable.Options{}, archive)
		if err != nil {
			t.Fatal(err)
		}
		return p.Template.Path("Resources", "WebsocketsDeploymentStage", "Properties", "DeploymentId", "Ref").Str()
	}
	first := id(small)
	if again := id(strings.Replace(small, "service: small", "\nservice: small", 1)); again != first {
		t.Errorf("another line number changes the deployment from %s to %s", first, again)
	}
	if memory := id(strings.Replace(small, "handler: f.handler", "handler: f.handler\n    memorySize: 256", 1)); memory != first {
		t.Errorf("a function's memory changes the deployment from %s to %s", first, memory)
	}
	if route := id(strings.Replace(small, "$default", "say", 1)); route == first {
		t.Error("another route key does not change the deployment")
	}
	if !strings.HasPrefix(first, "WebsocketsDeployment") || len(first) < 40 {
		t.Errorf("the deployment is %q", first)
	}
	resources := "\nresources: { Resources: { R: { Type: AWS::ApiGatewayV2::Route, Properties: { ApiId: { Ref: WebsocketsApi }, RouteKey: x } } } }\n-- f.js --"
	if own := id(strings.Replace(small, "-- f.js --", resources, 1)); own == first {
		t.Error("a route of the project's own resources does not change the deployment")
	}
}

// The project's reader marks what it makes itself; what the project writes is not marked, and is not named here.
func TestGeneratedIsMarked(t *testing.T) {
	t.Parallel()
	own := "\nresources: { Resources: { Q: { Type: AWS::SQS::Queue }, R: { Type: AWS::IAM::Role } } }\n-- f.js --"
	p, err := read(t, variable.Options{}, strings.Replace(small, "-- f.js --", own, 1))
	if err != nil {
		t.Fatal(err)
	}
	marked := func(v *cfn.Value) bool { return v.Path("Metadata", "cleat", "Generated").Str() == "true" }
	for _, e := range p.Template.Get("Resources").Keys {
		if want := e.Key != "Q" && e.Key != "R"; marked(e.Value) != want {
			t.Errorf("%s is marked as generated: got %v, want %v", e.Key, !want, want)
		}
	}
	if len(p.LeftAlone) > 0 {
		t.Errorf("left alone are %q, want none named here", p.LeftAlone)
	}
}

// Files that are no files must not hang or fill the memory.
func TestOddFiles(t *testing.T) {
	t.Parallel()
	dir := golden.Write(t, txtar.Parse([]byte(small)).Files)
	if err := os.Mkdir(filepath.Join(dir, "folder.txt"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "big.txt"), make([]byte, 5<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(small, "runtime: nodejs20.x", "runtime: nodejs20.x, environment: { A: \"${file(folder.txt)}\", B: \"${file(big.txt)}\" }", 1)
	if err := os.WriteFile(filepath.Join(dir, "serverless.yml"), txtar.Parse([]byte(text)).Files[0].Data, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := readDir(dir, variable.Options{})
	for _, want := range []string{"folder.txt cannot be read: not a regular file", "big.txt cannot be read: larger than 4 MiB"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want a fault with %q", err, want)
		}
	}
}

// Whatever a serverless.yml says, reading it ends, and soon.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"acceptance", "authorizers", "files", "variables", "variables_faults", "faults"} {
		ar, err := txtar.ParseFile("testdata/read/" + name + ".txtar")
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range ar.Files {
			if strings.HasPrefix(file.Name, "serverless.") {
				f.Add(file.Data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "serverless.yml"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		r, err := readDir(dir, variable.Options{Env: map[string]string{"AWS_REGION": "eu-west-1"}})
		if d := time.Since(begun); d > 10*time.Second {
			t.Errorf("took %v", d)
		}
		if err == nil && r.Template == nil {
			t.Error("no template and no fault")
		}
	})
}

func BenchmarkRead(b *testing.B) {
	ar, err := txtar.ParseFile("testdata/read/acceptance.txtar")
	if err != nil {
		b.Fatal(err)
	}
	dir := golden.Write(b, ar.Files)
	for b.Loop() {
		if _, err := readDir(dir, variable.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

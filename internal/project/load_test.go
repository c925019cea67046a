package project_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"cleat/internal/cfn"
	"cleat/internal/pricing"
	"cleat/internal/project"
)

func load(t *testing.T, o project.Options, archive string) (*project.Project, error) {
	t.Helper()
	return project.Load(writeFiles(t, txtar.Parse([]byte(archive)).Files), o)
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

// Every value of the template knows where it was written: control names the place when something cannot be.
func TestPlaces(t *testing.T) {
	t.Parallel()
	p, err := load(t, project.Options{}, small)
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

// A fault is a cfn.Faults, whatever is wrong.
func TestLoadErrors(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{
		"absent folder": filepath.Join(t.TempDir(), "none"),
		"zero byte":     "a\x00b",
		"other file":    "load_test.go",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := project.Load(path, project.Options{})
			faults, ok := errors.AsType[cfn.Faults](err)
			if p.Template != nil || !ok || len(faults) != 1 {
				t.Errorf("got %v, %v, want no project and one fault", p, err)
			}
		})
	}
}

// The deployment's logical ID changes with the API's definition and with nothing else: that is what deploys anew.
func TestDeploymentID(t *testing.T) {
	t.Parallel()
	id := func(archive string) string {
		p, err := load(t, project.Options{}, archive)
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

func TestLogicalIDs(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ got, want string }{
		"function":           {project.FunctionID("onConnect"), "OnConnectLambdaFunction"},
		"dash":               {project.FunctionID("on-connect"), "OnDashconnectLambdaFunction"},
		"underscore":         {project.FunctionID("on_connect"), "OnUnderscoreconnectLambdaFunction"},
		"non-ASCII":          {project.FunctionID("épée"), "ÉpéeLambdaFunction"},
		"$connect":           {project.RouteID("$connect"), "SconnectWebsocketsRoute"},
		"custom":             {project.RouteID("sendMessage"), "sendMessageWebsocketsRoute"},
		"special characters": {project.RouteID("a/b-c_d.e f"), "aSlashbDashcUnderscoredPeriodefWebsocketsRoute"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %s, want %s", name, tt.got, tt.want)
		}
	}
}

// A cleat.yaml without an API of its own says what it says of the node all the same.
func TestNodeOfOverlay(t *testing.T) {
	t.Parallel()
	over, err := load(t, project.Options{}, small+"-- cleat.yaml --\nprices: p.json\nlimits: open\n-- p.json --\n{\"us-east-1\": {\"messages\": 1, \"connectionMinutes\": 1}}\n")
	if err != nil || len(over.Prices.Table) != 1 || over.Prices.Options != (pricing.Options{}) || over.Limits.Profile != "open" {
		t.Errorf("got %+v, %v", over.Node, err)
	}
}

// Files that are no files must not hang or fill the memory.
func TestOddFiles(t *testing.T) {
	t.Parallel()
	dir := writeFiles(t, txtar.Parse([]byte(small)).Files)
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
	_, err := project.Load(dir, project.Options{})
	for _, want := range []string{"folder.txt cannot be read: not a regular file", "big.txt cannot be read: larger than 4 MiB"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want a fault with %q", err, want)
		}
	}
}

func FuzzLoad(f *testing.F) {
	for _, name := range []string{"acceptance", "authorizers", "files", "variables", "variables_faults", "faults", "cleat", "cleat_faults", "elsewhere"} {
		ar, err := txtar.ParseFile("testdata/load/" + name + ".txtar")
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range ar.Files {
			if strings.HasPrefix(file.Name, "serverless.") || file.Name == "cleat.yaml" {
				f.Add(file.Data, file.Name == "cleat.yaml")
			}
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, short bool) {
		dir, name := t.TempDir(), "serverless.yml"
		if short {
			name = "cleat.yaml"
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		p, err := project.Load(dir, project.Options{Env: []string{"AWS_REGION=eu-west-1"}})
		if d := time.Since(begun); d > 10*time.Second {
			t.Errorf("took %v", d)
		}
		if err == nil && p.Template == nil {
			t.Error("no template and no fault")
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	ar, err := txtar.ParseFile("testdata/load/acceptance.txtar")
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	for _, f := range ar.Files {
		name := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := project.Load(dir, project.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// A folder that is named by a link is the folder that it leads to: everything of it has its real path.
func TestLinkedFolder(t *testing.T) {
	t.Parallel()
	real := writeFiles(t, txtar.Parse([]byte(small)).Files)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	p, err := project.Load(link, project.Options{})
	if err != nil {
		t.Fatal(err)
	}
	code := p.Template.Path("Resources", "FLambdaFunction", "Properties", "Code", "LocalPath").Str()
	if p.Dir != real || code != real || !slices.Contains(p.Files, filepath.Join(real, "serverless.yml")) {
		t.Errorf("got folder %s, code %s, files %q; want all in %s", p.Dir, code, p.Files, real)
	}
}

// A project file that is a link changes with its target.
func TestFilesOfLinks(t *testing.T) {
	t.Parallel()
	dir := writeFiles(t, txtar.Parse([]byte(strings.Replace(small, "serverless.yml", "shared/real.yml", 1))).Files)
	if err := os.Symlink(filepath.Join(dir, "shared", "real.yml"), filepath.Join(dir, "serverless.yml")); err != nil {
		t.Fatal(err)
	}
	p, err := project.Load(dir, project.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"serverless.yml", "shared/real.yml"} {
		if !slices.Contains(p.Files, filepath.Join(dir, filepath.FromSlash(name))) {
			t.Errorf("%s is not among %q", name, p.Files)
		}
	}
}

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
	"cleat/internal/testkit/golden"
)

func load(t *testing.T, o project.Options, archive string) (*project.Project, error) {
	t.Helper()
	return project.Load(golden.Write(t, txtar.Parse([]byte(archive)).Files), o)
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

// A cleat.yaml without an API of its own says what it says of the node all the same.
func TestNodeOfOverlay(t *testing.T) {
	t.Parallel()
	over, err := load(t, project.Options{}, small+"-- cleat.yaml --\nprices: p.json\nlimits: open\n-- p.json --\n{\"us-east-1\": {\"messages\": 1, \"connectionMinutes\": 1}}\n")
	if err != nil || len(over.Prices.Table) != 1 || over.Prices.Options != (pricing.Options{}) || over.Limits.Profile != "open" {
		t.Errorf("got %+v, %v", over.Node, err)
	}
}

func FuzzLoad(f *testing.F) {
	for _, name := range []string{"cleat", "cleat_faults", "elsewhere"} {
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

// A folder that is named by a link is the folder that it leads to: everything of it has its real path.
func TestLinkedFolder(t *testing.T) {
	t.Parallel()
	real := golden.Write(t, txtar.Parse([]byte(small)).Files)
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
	dir := golden.Write(t, txtar.Parse([]byte(strings.Replace(small, "serverless.yml", "shared/real.yml", 1))).Files)
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

package project_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"cleat/internal/project"
	"cleat/internal/testkit/golden"
)

func loadNode(t *testing.T, yaml string, env []string, overrides ...project.Override) (*project.NodeSettings, error) {
	t.Helper()
	dir := golden.Write(t, []txtar.File{{Name: "cleat.yaml", Data: []byte(yaml)}})
	return project.LoadNode(filepath.Join(dir, "cleat.yaml"), project.Options{Env: env}, overrides)
}

// A node reads its own settings of a file that defines an API too: variables of that are nobody's business there.
func TestLoadNode(t *testing.T) {
	t.Parallel()
	n, err := loadNode(t, `name: chat
region: ${env:REGION}
routes: { $default: 'http://${param:nobody-gave-it}/' }
functions: { f: '${ssm:/only/aws}' }
public: { listen: ':${env:PORT, "1"}' }
limits: open
`, []string{"REGION=eu-west-1", "PORT=2"})
	if err != nil {
		t.Fatal(err)
	}
	if n.Region != "eu-west-1" || n.Serve.Public.Listen[0].Text != ":2" || n.Limits.Profile != "open" {
		t.Errorf("got %+v", n)
	}
	if want := []string{"name", "routes", "functions"}; !slices.Equal(n.Definitions, want) {
		t.Errorf("definitions %q, want %q", n.Definitions, want)
	}
}

// What the command line says comes before the file, setting by setting.
func TestLoadNodeOverrides(t *testing.T) {
	t.Parallel()
	over := []project.Override{
		{Setting: "public.listen", Values: []string{":5", ":6"}, From: "--public"},
		{Setting: "limits.profile", Values: []string{"aws"}, From: "--limits"},
		{Setting: "logs.access.to", Values: []string{"stderr"}, From: "--access-log"},
		{Setting: "region", Values: []string{"eu-north-1"}, From: "--region"},
	}
	n, err := loadNode(t, "region: eu-west-1\npublic: { listen: ':1', domain: ws.example.com }\nlimits: { profile: open, frameSize: 16KB }\nlogs: { access: stdout, level: warn }\n", nil, over...)
	if err != nil {
		t.Fatal(err)
	}
	limits := n.Limits.Apply("")
	v := n.Serve
	if len(v.Public.Listen) != 2 || v.Public.Listen[1].Text != ":6" || v.Domain != "ws.example.com" || limits.Binary || limits.FrameSize != 16<<10 ||
		n.Logs.Access.To != "stderr" || v.LogLevel != "warn" || n.Region != "eu-north-1" {
		t.Errorf("got %+v", n)
	}
	if n, err := project.LoadNode("", project.Options{}, over); err != nil || n.Serve.Public.Listen[0].Text != ":5" {
		t.Errorf("without a file: %+v, %v", n, err)
	}
	n, err = loadNode(t, "limits: open\n", nil, project.Override{Setting: "limits.idleTimeout", Values: []string{"5m"}, From: "--idle"})
	if err != nil || n.Limits.Profile != "open" {
		t.Errorf("on top of a short form: %+v, %v", n, err)
	}
}

func TestLoadNodeFaults(t *testing.T) {
	t.Parallel()
	_, err := loadNode(t, "public:\n  listen: ${env:NOBODY}\npubic: 1\nstop: { timeout: soon }\n", nil,
		project.Override{Setting: "admin.listen", Values: []string{"x"}, From: "--admin"}, project.Override{Setting: "region", Values: []string{"moon"}, From: "--region"})
	for _, want := range []string{
		`--admin: admin.listen: "x" is not an address`, "--region: region:", "cleat.yaml:2: ", `cleat.yaml:3: cleat.yaml has no setting "pubic"; did you mean public?`,
		`cleat.yaml:4: stop.timeout: "soon" is not a duration`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %s", err, want)
		}
	}
	if _, err := project.LoadNode(filepath.Join(t.TempDir(), "none.yaml"), project.Options{}, nil); err == nil || !strings.Contains(err.Error(), "none.yaml: cannot be read") {
		t.Errorf("no file: %v", err)
	}
}

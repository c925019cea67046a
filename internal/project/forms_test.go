package project_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"cleat/internal/apigw"
	"cleat/internal/control/stacks"
	"cleat/internal/project"
	"cleat/internal/store"
	"cleat/internal/store/memory"
	"cleat/internal/testkit"
	"cleat/internal/testkit/golden"
)

// TestForms applies one chat app in all the forms that a project may have and wants the same definition of each: identifiers,
// names of authorizers and where the code lies aside (spec control-plane §15-§18).
func TestForms(t *testing.T) {
	t.Parallel()
	const want = `stage dev of chat, by $request.body.action
$connect: AWS_PROXY to chat-connections, CUSTOM by chat-auth with [route.request.querystring.token]
$default: AWS_PROXY to chat-connections
$disconnect: AWS_PROXY to chat-connections
say: AWS_PROXY to chat-say, answered
function chat-auth: handler.auth on nodejs22.x, 6s, 1024 MB, map[TABLE:people]
function chat-connections: handler.connections on nodejs22.x, 6s, 1024 MB, map[TABLE:people]
function chat-say: handler.say on nodejs22.x, 6s, 1024 MB, map[TABLE:people]
`
	names, err := filepath.Glob("testdata/forms/*.txtar")
	if err != nil || len(names) < 8 {
		t.Fatalf("forms %v, %v", names, err)
	}
	for _, name := range names {
		form := strings.TrimSuffix(filepath.Base(name), ".txtar")
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			ar, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			dir := golden.Write(t, zipped(t, ar.Files))
			p, err := project.Load(dir, project.Options{CodeDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Warnings) > 0 {
				t.Errorf("warnings: %v", p.Warnings)
			}
			got, out := definition(t, p)
			if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if len(out.Warnings) > 0 {
				t.Errorf("warnings of the stack: %v", out.Warnings)
			}
			if form == "cleat" {
				return
			}
			if len(out.Tables) != 1 || out.Tables[0].Name != "people" || !strings.Contains(string(out.Tables[0].CreateTable), `"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}]`) {
				t.Errorf("tables %+v", out.Tables)
			}
		})
	}
}

// zipped makes archives of the files whose path leads through one: "x.zip/index.js".
func zipped(t *testing.T, files []txtar.File) []txtar.File {
	t.Helper()
	var out []txtar.File
	archives := map[string][]testkit.ZipFile{}
	for _, f := range files {
		name, inside, ok := strings.Cut(f.Name, ".zip/")
		if !ok {
			out = append(out, f)
			continue
		}
		archives[name+".zip"] = append(archives[name+".zip"], testkit.ZipFile{Name: inside, Text: string(f.Data)})
	}
	for name, entries := range archives {
		out = append(out, txtar.File{Name: name, Data: testkit.Zip(t, entries...)})
	}
	return out
}

// definition is what a project comes to in the store, in words.
func definition(t *testing.T, p *project.Project) (string, stacks.Outcome) {
	t.Helper()
	s := store.New(memory.New())
	out, err := stacks.New(s, stacks.Options{}).Apply(t.Context(), stacks.Stack{Name: p.Name, Template: p.Template, Parameters: p.Parameters, Region: p.Region})
	if err != nil {
		t.Fatal(err)
	}
	serving, err := s.Serving(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i := range serving.Stages {
		st := &serving.Stages[i]
		fmt.Fprintf(&b, "stage %s of %s, by %s\n", st.Stage.StageName, st.API.Name, st.API.RouteSelectionExpression)
		def, err := st.Frozen.Definition()
		if err != nil {
			t.Fatal(err)
		}
		showRoutes(t, &b, def)
	}
	slices.SortFunc(out.Functions, func(x, y apigw.Function) int { return strings.Compare(x.Name, y.Name) })
	for i := range out.Functions {
		f := &out.Functions[i]
		if _, err := os.Stat(f.CodeDir); err != nil {
			t.Error(err)
		}
		fmt.Fprintf(&b, "function %s: %s on %s, %v, %d MB, %v\n", f.Name, filepath.Base(f.Handler), f.Runtime, f.Timeout, f.MemorySize, f.Environment)
	}
	return b.String(), out
}

func showRoutes(t *testing.T, b *strings.Builder, d *apigw.Definition) {
	t.Helper()
	routes := slices.Clone(d.Routes)
	slices.SortFunc(routes, func(x, y apigw.Route) int { return strings.Compare(x.RouteKey, y.RouteKey) })
	function := func(uri string) string {
		_, name, _ := strings.Cut(uri, ":function:")
		return strings.TrimSuffix(name, "/invocations")
	}
	for i := range routes {
		r := &routes[i]
		for _, in := range d.Integrations {
			if "integrations/"+in.IntegrationID == r.Target {
				fmt.Fprintf(b, "%s: %s to %s", r.RouteKey, in.IntegrationType, function(in.IntegrationURI))
			}
		}
		for _, a := range d.Authorizers {
			if a.AuthorizerID == r.AuthorizerID {
				fmt.Fprintf(b, ", %s by %s with %v", r.AuthorizationType, function(a.AuthorizerURI), a.IdentitySource)
			}
		}
		if slices.ContainsFunc(d.RouteResponses, func(rr apigw.RouteResponse) bool { return rr.RouteID == r.RouteID && rr.RouteResponseKey == "$default" }) &&
			r.RouteResponseSelectionExpression == "$default" {
			b.WriteString(", answered")
		}
		b.WriteByte('\n')
	}
}

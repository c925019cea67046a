package project_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"cleat/internal/cfn"
	"cleat/internal/project"
)

var update = flag.Bool("update", false, "write what Load returns into testdata")

// TestLoad reads every project of testdata/load. An archive holds the project's files and, last, what is expected of it
// ("want"): the faults, or the project. Lines before the files are options: "--stage prod", "--env A=b".
func TestLoad(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/load/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no projects in testdata/load: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			ar, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			o, path := readOptions(t, string(ar.Comment))
			var want string
			files := ar.Files[:0:0]
			for _, f := range ar.Files {
				if f.Name == "want" {
					want = string(f.Data)
					continue
				}
				files = append(files, f)
			}
			dir := writeFiles(t, files)
			o.CodeDir = t.TempDir()
			p, err := project.Load(filepath.Join(dir, path), o)
			got := strings.ReplaceAll(show(p, err), dir, "$DIR")
			got = regexp.MustCompile(regexp.QuoteMeta(o.CodeDir)+"/[0-9a-f]+").ReplaceAllString(got, "$$CODE")
			if *update {
				ar.Files = append(files, txtar.File{Name: "want", Data: []byte(got)})
				if err := os.WriteFile(name, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("got:\n%s\nwant:\n%s\nfirst difference: %s", got, want, firstDifference(got, want))
			}
		})
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			return fmt.Sprintf("line %d: got %q, want %q", i+1, g[i], slices.Concat(w, make([]string, len(g)))[i])
		}
	}
	return "want goes on"
}

func readOptions(t *testing.T, comment string) (o project.Options, path string) {
	t.Helper()
	for line := range strings.Lines(comment) {
		flag, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || !strings.HasPrefix(flag, "-") {
			continue // a remark
		}
		k, v, _ := strings.Cut(value, "=")
		switch flag {
		case "--stage":
			o.Stage = value
		case "--region":
			o.Region = value
		case "--env-file":
			o.EnvFile = value
		case "--env":
			o.Env = append(o.Env, value)
		case "--file":
			path = value
		case "--param":
			o.Params = with(o.Params, k, v)
		case "--opt":
			o.Opt = with(o.Opt, k, v)
		default:
			t.Fatalf("unknown option %s", flag)
		}
	}
	return o, path
}

func with(m map[string]string, k, v string) map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	m[k] = v
	return m
}

func writeFiles(t *testing.T, files []txtar.File) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func show(p *project.Project, err error) string {
	var b strings.Builder
	if err != nil {
		fmt.Fprintf(&b, "faults:\n%v\n", err)
		return b.String()
	}
	fmt.Fprintf(&b, "name: %s\nstage: %s\nregion: %s\nfile: %s\nfiles: %s\n", p.Name, p.Stage, p.Region, p.File, strings.Join(p.Files, " "))
	for _, w := range p.Warnings {
		fmt.Fprintf(&b, "warning: %v\n", w)
	}
	for _, dir := range p.Folders {
		fmt.Fprintf(&b, "folder: %s\n", dir)
	}
	for _, k := range slices.Sorted(maps.Keys(p.Parameters)) {
		fmt.Fprintf(&b, "parameter: %s=%q\n", k, p.Parameters[k])
	}
	for _, what := range p.LeftAlone {
		fmt.Fprintf(&b, "left alone: %s\n", what)
	}
	for _, k := range slices.Sorted(maps.Keys(p.Environment)) {
		fmt.Fprintf(&b, "env: %s=%q\n", k, p.Environment[k])
	}
	for _, r := range p.Remote {
		fmt.Fprintf(&b, "remote: %s -> %s %s %s\n", r.Pattern, r.Endpoint, r.Region, r.AccessKeyID)
	}
	for _, u := range p.Users.List {
		fmt.Fprintf(&b, "user: %s %s %d policies, keys %+v\n", u.Name, u.Account, len(u.Policies), u.Keys)
	}
	if p.Users.Management {
		b.WriteString("management API: signed\n")
	}
	for _, name := range slices.Sorted(maps.Keys(p.AWS.Endpoints)) {
		fmt.Fprintf(&b, "AWS endpoint: %s -> %s\n", name, p.AWS.Endpoints[name])
	}
	if p.AWS.AccessKeyID != "" {
		fmt.Fprintf(&b, "AWS credentials: %s %s %s\n", p.AWS.AccessKeyID, p.AWS.SecretAccessKey, p.AWS.SessionToken)
	}
	for _, l := range p.VPCLinks {
		fmt.Fprintf(&b, "VPC link: %s -> %s", l.Name, strings.Join(l.Targets, " "))
		if l.Check != nil {
			fmt.Fprintf(&b, ", checked %+v", *l.Check)
		}
		b.WriteByte('\n')
	}
	if p.Limits.Profile != "" || len(p.Limits.Overrides) > 0 || !p.ConnectionHeaders {
		fmt.Fprintf(&b, "limits: %s %+v\nconnection headers: %v\n", p.Limits.Profile, p.Limits.Apply(""), p.ConnectionHeaders)
	}
	showValue(&b, p.Template, "")
	b.WriteByte('\n')
	return b.String()
}

// showValue writes a value as JSON in the value's own order, short lists and maps on one line.
func showValue(b *strings.Builder, v *cfn.Value, indent string) {
	switch {
	case v == nil || v.Kind == cfn.Null:
		b.WriteString("null")
	case v.Kind == cfn.String:
		text, err := json.Marshal(v.Text)
		if err != nil {
			panic(err)
		}
		b.Write(text)
	case v.Kind != cfn.List && v.Kind != cfn.Map:
		b.WriteString(v.Text)
	default:
		var short strings.Builder
		showItems(&short, v, "", "")
		if short.Len() < 150 {
			b.WriteString(short.String())
			return
		}
		showItems(b, v, "\n"+indent+"  ", indent+"  ")
	}
}

func showItems(b *strings.Builder, v *cfn.Value, sep, indent string) {
	open, end := "[", "]"
	if v.Kind == cfn.Map {
		open, end = "{", "}"
	}
	b.WriteString(open)
	for i := range len(v.Items) + len(v.Keys) {
		if i > 0 {
			b.WriteByte(',')
			if sep == "" {
				b.WriteByte(' ')
			}
		}
		b.WriteString(sep)
		if v.Kind == cfn.List {
			showValue(b, v.Items[i], indent)
			continue
		}
		fmt.Fprintf(b, "%q: ", v.Keys[i].Key)
		showValue(b, v.Keys[i].Value, indent)
	}
	if sep != "" {
		b.WriteString(strings.TrimSuffix(sep, "  "))
	}
	b.WriteString(end)
}

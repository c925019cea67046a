package project_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"cleat/internal/project"
	"cleat/internal/testkit/golden"
)

// TestLoad reads every project of testdata/load. An archive holds the project's files and, last, what is expected of it
// ("want"): the faults, or the project. Lines before the files are options: "--stage prod", "--env A=b".
func TestLoad(t *testing.T) {
	t.Parallel()
	golden.Archives(t, "testdata/load/*.txtar", func(t *testing.T, ar *txtar.Archive) string {
		t.Helper()
		o, path := readOptions(t, ar.Comment)
		dir := golden.Write(t, ar.Files)
		o.CodeDir = t.TempDir()
		p, err := project.Load(filepath.Join(dir, path), o)
		got := strings.ReplaceAll(show(p, err), dir, "$DIR")
		return regexp.MustCompile(regexp.QuoteMeta(o.CodeDir)+"/[0-9a-f]+").ReplaceAllString(got, "$$CODE")
	})
}

func readOptions(t *testing.T, comment []byte) (o project.Options, path string) {
	t.Helper()
	golden.Options(comment, func(flag, value string) {
		k, v, _ := strings.Cut(value, "=")
		switch flag {
		case "--stage":
			o.Stage = value
		case "--region":
			o.Region = value
		case "--env":
			o.Env = append(o.Env, value)
		case "--file":
			path = value
		case "--param":
			o.Params = with(o.Params, k, v)
		default:
			t.Fatalf("unknown option %s", flag)
		}
	})
	return o, path
}

func with(m map[string]string, k, v string) map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	m[k] = v
	return m
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
	b.WriteString(golden.Value(p.Template) + "\n")
	return b.String()
}

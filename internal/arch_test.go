package internal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "cleat/"

var floors = [][]string{
	0: {"internal/apigw", "internal/jsonpath", "internal/cfn", "internal/glob", "internal/percent", "internal/filelock", "internal/javaregexp", "internal/jsbundle", "internal/systemd", "internal/collector", "internal/socket", "internal/terminal"},
	1: {"internal/awsapi", "internal/input", "internal/frame", "internal/http1", "internal/lambdaevent", "internal/iampolicy", "internal/expr", "internal/vtl", "internal/model", "internal/throttle", "internal/logformat", "internal/pricing", "internal/sam", "internal/link", "internal/store", "internal/unzip"},
	2: {"internal/testkit", "internal/listen", "internal/conn", "internal/route", "internal/backend", "internal/lambda", "internal/localca", "internal/certs", "internal/config", "internal/variable", "internal/template", "internal/watch", "internal/draft", "internal/credentials", "internal/usageplan", "internal/codestore", "internal/codezip", "internal/awsclient", "internal/cluster", "internal/journal", "internal/blueprint", "internal/handlers"},
	3: {"internal/authorizer", "internal/integration", "internal/push", "internal/control", "internal/identity", "internal/export", "internal/meter", "internal/eventlog", "internal/metrics", "internal/datadir", "internal/serverless", "internal/eventstream"},
	4: {"internal/gateway", "internal/controlapi", "internal/console", "internal/project"},
	5: {"internal/access"},
	6: {"internal/server"},
	7: {"cmd/cleat"},
}

// The planes meet only in store, so neither may import the other's packages.
var (
	dataPlane    = []string{"internal/certs", "internal/socket", "internal/http1", "internal/listen", "internal/conn", "internal/route", "internal/backend", "internal/lambda", "internal/cluster", "internal/journal", "internal/credentials", "internal/usageplan", "internal/authorizer", "internal/integration", "internal/push", "internal/meter", "internal/eventlog", "internal/metrics", "internal/gateway", "internal/eventstream"}
	controlPlane = []string{"internal/draft", "internal/control", "internal/identity", "internal/controlapi", "internal/console"}
)

func in(set []string, pkg string) bool {
	return slices.ContainsFunc(set, func(p string) bool { return pkg == p || strings.HasPrefix(pkg, p+"/") })
}

func floorOf(pkg string) int {
	return slices.IndexFunc(floors, func(ps []string) bool {
		return slices.ContainsFunc(ps, func(p string) bool { return pkg == p || strings.HasPrefix(pkg, p+"/") })
	})
}

func TestImportsPointDown(t *testing.T) {
	docs := map[string]bool{}
	for _, dir := range []string{"../internal", "../cmd"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly|parser.ParseComments)
			if err != nil {
				return err
			}
			from := filepath.ToSlash(filepath.Dir(strings.TrimPrefix(path, "../")))
			docs[from] = docs[from] || f.Doc != nil
			a := floorOf(from)
			if a < 0 {
				t.Errorf("%s has no floor", from)
			}
			for _, spec := range f.Imports {
				imp, _ := strconv.Unquote(spec.Path.Value)
				to, ours := strings.CutPrefix(imp, module)
				switch {
				case !ours, strings.HasPrefix(from, to+"/"):
				case in([]string{"internal/testkit"}, to) && !in([]string{"internal/testkit"}, from):
					t.Errorf("%s imports testkit outside tests", path)
				case in(dataPlane, from) && in(controlPlane, to), in(controlPlane, from) && in(dataPlane, to):
					t.Errorf("%s imports %s across the planes", path, to)
				case floorOf(to) >= a:
					t.Errorf("%s (floor %d) imports %s (floor %d)", path, a, to, floorOf(to))
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for pkg, ok := range docs {
		if !ok {
			t.Errorf("%s has no package doc", pkg)
		}
	}
}

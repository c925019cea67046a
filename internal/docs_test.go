package internal_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCompatibilityNamesRealTests keeps docs/compatibility.md honest: a row says "same" or "differs" only with a test or
// a scenario that exists.
func TestCompatibilityNamesRealTests(t *testing.T) {
	text, err := os.ReadFile("../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile("`([a-z0-9/]+)\\.(Test[A-Za-z0-9]+)`")
	scenario := regexp.MustCompile("`scenarios/([a-z0-9/-]+)`")
	rows := 0
	for i, line := range strings.Split(string(text), "\n") {
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) < 3 || strings.HasPrefix(line, "| Behaviour") {
			continue
		}
		rows++
		proof := cells[len(cells)-1]
		status, tests, scenarios := cells[1], name.FindAllStringSubmatch(proof, -1), scenario.FindAllStringSubmatch(proof, -1)
		if len(tests)+len(scenarios) == 0 && !strings.HasPrefix(status, "Not yet") {
			t.Errorf("line %d names no test: %s", i+1, line)
		}
		for _, m := range tests {
			if !declared(t, m[1], m[2]) {
				t.Errorf("line %d: there is no %s in a package %s", i+1, m[2], m[1])
			}
		}
		for _, m := range scenarios {
			if _, err := os.Stat(filepath.Join("..", "test", "compat", "scenarios", m[1]+".txt")); err != nil {
				t.Errorf("line %d: %v", i+1, err)
			}
		}
	}
	if rows < 300 {
		t.Errorf("read only %d rows: has the form of the tables changed?", rows)
	}
}

// TestConformanceNamesTargets keeps docs/conformance.md honest: it names every fuzz target, and each has a corpus.
func TestConformanceNamesTargets(t *testing.T) {
	text, err := os.ReadFile("../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("`([a-z0-9]+\\.Fuzz[A-Za-z0-9]+)`").FindAllStringSubmatch(string(text), -1) {
		named[m[1]] = true
	}
	pkg, target := regexp.MustCompile(`(?m)^package ([a-z0-9]+?)(?:_test)?$`), regexp.MustCompile(`(?m)^func (Fuzz[A-Za-z0-9]+)\(`)
	found := map[string]bool{}
	for _, file := range testFiles(t, "../internal", "../cmd", "../test", "../bench") {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range target.FindAllStringSubmatch(string(src), -1) {
			name := pkg.FindStringSubmatch(string(src))[1] + "." + m[1]
			found[name] = true
			corpus, err := os.ReadDir(filepath.Join(filepath.Dir(file), "testdata", "fuzz", m[1]))
			if err != nil || len(corpus) == 0 || !named[name] {
				t.Errorf("%s: has no corpus (%v), or is not in the table", name, err)
			}
		}
	}
	for name := range named {
		if !found[name] {
			t.Errorf("%s is in the table and nowhere else", name)
		}
	}
	if len(found) < 20 {
		t.Errorf("found only %d targets", len(found))
	}
}

func testFiles(t *testing.T, dirs ...string) []string {
	t.Helper()
	var out []string
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.HasSuffix(path, "_test.go") {
				out = append(out, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func declared(t *testing.T, pkg, test string) bool {
	t.Helper()
	var files []string
	for _, dir := range []string{pkg, filepath.Join("*", pkg), filepath.Join("..", "test", pkg)} { // such as controlapi/apigateway, and test/e2e
		more, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(src), "func "+test+"(") {
			return true
		}
	}
	return false
}

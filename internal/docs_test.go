package internal_test

import (
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
	name := regexp.MustCompile("`([a-z]+)\\.(Test[A-Za-z0-9]+)`")
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
				t.Errorf("line %d: there is no %s in internal/%s", i+1, m[2], m[1])
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

// TestConformanceNamesRealTargets keeps docs/conformance.md honest: each fuzz target that it names exists and has a corpus.
func TestConformanceNamesRealTargets(t *testing.T) {
	text, err := os.ReadFile("../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([a-z]+)\\.(Fuzz[A-Za-z0-9]+)`").FindAllStringSubmatch(string(text), -1)
	for _, m := range named {
		dir, target := m[1], m[2]
		if dir == "main" {
			dir = "../cmd/cleat"
		}
		corpus, err := os.ReadDir(filepath.Join(dir, "testdata", "fuzz", target))
		if !declared(t, dir, target) || err != nil || len(corpus) == 0 {
			t.Errorf("%s.%s: not there, or without a corpus (%v)", m[1], target, err)
		}
	}
	if len(named) < 20 {
		t.Errorf("read only %d targets: has the form of the table changed?", len(named))
	}
}

func declared(t *testing.T, pkg, test string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
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

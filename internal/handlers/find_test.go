package handlers_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"cleat/internal/handlers"
	"cleat/internal/input"
	"cleat/internal/testkit/golden"
)

// Handlers are found as Lambda's runtimes find them (spec lambda §5-7), TypeScript on top.
func TestFind(t *testing.T) {
	t.Parallel()
	dir := golden.Write(t, txtar.Parse([]byte("-- src/app.js --\n-- lib/typed.ts --\n-- fn/main.py --\n-- fn/pkg/__init__.py --\n-- bin/bootstrap --\n-- tool --\n")).Files)
	r := input.New()
	r.Dir = dir
	here := func(handler string) handlers.Located { return handlers.Located{Dir: dir, Handler: handler} }
	for name, tt := range map[string]struct {
		handler, runtime string
		want             handlers.Located
		why              string // a part of it
	}{
		"node":               {"src/app.handler", "nodejs22.x", here("src/app.handler"), ""},
		"TypeScript":         {"lib/typed.handler", "nodejs22.x", handlers.Located{Dir: dir, Handler: "lib/typed.handler", TypeScript: true}, ""},
		"node, no function":  {"src/app", "nodejs22.x", here("src/app"), "must be file.function"},
		"node, no file":      {"src/other.handler", "nodejs22.x", here("src/other.handler"), "looked for src/other.js, src/other.mjs, src/other.cjs, src/other.ts"},
		"python":             {"fn/main.handler", "python3.13", here("fn/main.handler"), ""},
		"python, points":     {"fn.main.handler", "python3.13", here("fn.main.handler"), ""},
		"python, a package":  {"fn/pkg.handler", "python3.13", here("fn/pkg.handler"), ""},
		"python, from here":  {"./fn/main.handler", "python3.13", here("./fn/main.handler"), ""},
		"python, no file":    {"fn/none.handler", "python3.13", here("fn/none.handler"), "looked for fn/none.py, fn/none/__init__.py"},
		"bootstrap":          {"bin", "provided.al2023", handlers.Located{Dir: filepath.Join(dir, "bin"), Handler: "bootstrap"}, ""},
		"executable":         {"tool", "go1.x", here("tool"), ""},
		"no executable":      {"none", "provided.al2023", here("none"), "build it first"},
		"out of the folder":  {"../app.handler", "nodejs22.x", here("../app.handler"), "leaves the function's folder"},
		"a zero byte":        {"a\x00.b", "nodejs22.x", here("a\x00.b"), "no path of a file"},
		"a runtime not here": {"x.Y::Z", "java21", here("x.Y::Z"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, why := handlers.Find(r, "function f", dir, tt.handler, tt.runtime)
			if got != tt.want || (why == "") != (tt.why == "") || !strings.Contains(why, tt.why) {
				t.Errorf("got %+v, %q; want %+v, %q", got, why, tt.want, tt.why)
			}
		})
	}
}

func TestRuntimes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"nodejs22.x": "", "python3.9": "", "provided": "", "go1.x": "",
		"java21":      "runtime java21 is one that Cleat does not run",
		"nodejs":      `there is no runtime "nodejs"`,
		"pyhton3.13":  `there is no runtime "pyhton3.13"; did you mean python3.13?`,
		"nodejs20..x": `there is no runtime "nodejs20..x"; did you mean nodejs20.x?`,
	} {
		if got := handlers.RuntimeFault(name); (got == "") != (want == "") || !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	dir := golden.Write(t, []txtar.File{{Name: "fn/main.py"}})
	for handler, want := range map[string]string{"fn.main.handler": "python3.13", "src/app.handler": "nodejs22.x", "bin": "provided.al2023"} {
		if got := handlers.GuessRuntime(dir, handler); got != want {
			t.Errorf("%s: got %s, want %s", handler, got, want)
		}
	}
}

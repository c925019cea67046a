package jsbundle_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"cleat/internal/jsbundle"
	"cleat/internal/testkit/golden"
)

const files = `-- plain.js --
exports.h = async () => 1
-- module.js --
export const h = async () => 1
-- typed/package.json --
{"type": "module"}
-- typed/module.js --
export const h = async () => 1
-- handler.ts --
import { word } from './lib/word'
import { out } from 'outside'
export const h = async (): Promise<string> => word + out
-- lib/word.ts --
export const word: string = 'word'
-- node_modules/outside/package.json --
{"main": "index.js"}
-- node_modules/outside/index.js --
exports.out = 'out'
-- waits.ts --
export const word = await Promise.resolve('w')
-- both.ts --
-- both.js --
exports.h = 1
-- broken.ts --
export const h = (
-- lost.ts --
import './nowhere'
-- broken.mjs --

export const h = ;
-- native.mjs --
export const h = 1
`

func folder(t *testing.T) string {
	t.Helper()
	return golden.Write(t, txtar.Parse([]byte(files)).Files)
}

// Only what Node would not run as it is gets bundled (spec lambda §5).
func TestEntry(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	for name, tt := range map[string]struct {
		handler string
		always  bool
		want    string // empty: none
	}{
		"CommonJS":                    {"plain.h", false, ""},
		"CommonJS, always":            {"plain.h", true, "plain.js"},
		"a module that is not one":    {"module.h", false, "module.js"},
		"a module":                    {"typed/module.h", false, ""},
		"a module by its name":        {"native.h", false, ""},
		"TypeScript":                  {"handler.h", false, "handler.ts"},
		"JavaScript first":            {"both.h", false, ""},
		"TypeScript first, if always": {"both.h", true, "both.ts"},
		"nothing there":               {"none.h", true, ""},
		"out of the folder":           {"../handler.h", true, ""},
		"no function":                 {"handler", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entry, ok, err := jsbundle.Entry(dir, tt.handler, tt.always)
			want := ""
			if tt.want != "" {
				want = filepath.Join(dir, tt.want)
			}
			if err != nil || ok != (want != "") || ok && entry != want {
				t.Errorf("got %q, %v, %v; want %q", entry, ok, err, want)
			}
		})
	}
}

// What the author wrote is in the bundle, and told of; packages stay where they are.
func TestMake(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	b, err := jsbundle.Make(dir, filepath.Join(dir, "handler.ts"))
	if err != nil {
		t.Fatal(err)
	}
	inputs := []string{filepath.Join(dir, "handler.ts"), filepath.Join(dir, "lib", "word.ts")}
	if b.Module || b.As != filepath.Join(dir, "handler.js") || !slices.Equal(b.Inputs, inputs) || len(b.Warnings) > 0 {
		t.Errorf("got module %v, as %s, inputs %q, warnings %q", b.Module, b.As, b.Inputs, b.Warnings)
	}
	text := string(b.Text)
	if !strings.Contains(text, `"word"`) || strings.Contains(text, "out'") || !strings.Contains(text, filepath.ToSlash(filepath.Join(dir, "node_modules", "outside"))) {
		t.Errorf("got %s", text)
	}
	b, err = jsbundle.Make(dir, filepath.Join(dir, "waits.ts")) // CommonJS cannot wait at the top
	if err != nil || !b.Module {
		t.Errorf("got module %v, %v", b != nil && b.Module, err)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	for name, want := range map[string]jsbundle.Error{
		"broken.ts": {Text: "broken.ts:", Placed: true},
		"lost.ts":   {Text: "lost.ts:1: Could not resolve", Placed: true, Unresolved: true},
		"none.ts":   {Text: "Could not resolve", Unresolved: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := jsbundle.Make(dir, filepath.Join(dir, name))
			got, ok := errors.AsType[*jsbundle.Error](err)
			if !ok || !strings.HasPrefix(got.Text, want.Text) || got.Placed != want.Placed || got.Unresolved != want.Unresolved {
				t.Errorf("got %#v, want %#v", err, want)
			}
		})
	}
	if got := jsbundle.SyntaxErrorPlace(dir, "broken.h"); got != "broken.mjs:2" {
		t.Errorf("got %s, want broken.mjs:2", got)
	}
	if got := jsbundle.SyntaxErrorPlace(dir, "native.h"); got != "" {
		t.Errorf("got %s of what is right", got)
	}
}

// Package jsbundle makes one file of a JavaScript or TypeScript handler and what it imports, for handlers that Node does not run
// as they are, by esbuild. Packages stay outside, in node_modules. It finds such a handler as Lambda's runtime would (spec lambda
// §5) and says where a syntax error is. Nothing of the code is run. The caller is package lambda.
package jsbundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// Bundle is a handler that is fit for Node.
type Bundle struct {
	Text   []byte
	Module bool // an ES module; else CommonJS
	// As is the path, absolute, that the bundle runs under: beside its source, as .js.
	As       string
	Inputs   []string // the sources outside of node_modules, absolute
	Warnings []string // of esbuild, with their places
}

// Error is what is wrong with the code of a handler.
type Error struct {
	Text       string // with its file and line, where Placed
	Placed     bool
	Unresolved bool // something is imported that is not there; else the syntax is wrong
}

func (e *Error) Error() string { return e.Text }

// Extensions of handlers that Node cannot run itself; the order is the one of look-up.
var sourceExtensions = []string{".ts", ".mts", ".cts", ".tsx", ".jsx"}

// Entry finds the file of a handler that must be bundled; false when Node is to look for the handler itself, and to say what is
// wrong with it (spec lambda §5). With always any file is bundled.
func Entry(codeDir, handler string, always bool) (entry string, ok bool, err error) {
	dir, base := "", handler
	if i := strings.LastIndexByte(base, '/'); i >= 0 {
		dir, base = base[:i], base[i+1:]
	}
	name, _, ok := strings.Cut(base, ".")
	if !ok || strings.Contains(handler, "..") {
		return "", false, nil
	}
	file := filepath.Join(codeDir, filepath.FromSlash(dir), name)
	find := func(extensions ...string) bool {
		for _, ext := range extensions {
			if isFile(file + ext) {
				entry = file + ext
				return true
			}
		}
		return false
	}
	if always {
		return entry, find(append(slices.Clone(sourceExtensions), ".js", ".mjs", ".cjs")...), nil
	}
	switch {
	case isFile(file):
		return "", false, nil
	case find(".js"):
		needs, err := isModuleOutOfScope(entry)
		return entry, needs, err
	case find(".mjs", ".cjs"):
		return "", false, nil
	}
	return entry, find(sourceExtensions...), nil
}

var moduleSyntax = regexp.MustCompile(`(?m)^\s*(?:import|export)\b`)

// isModuleOutOfScope tells whether a .js file is an ES module although Node will not take it for one: projects that
// deploy through a bundler have such files.
func isModuleOutOfScope(file string) (bool, error) {
	b, err := os.ReadFile(file) //nolint:gosec // the function's own code
	if err != nil {
		return false, fmt.Errorf("read the handler: %w", err)
	}
	if !moduleSyntax.Match(b) || packageType(file) == "module" {
		return false, nil
	}
	r := api.Build(api.BuildOptions{EntryPoints: []string{file}, Metafile: true, Outdir: filepath.Dir(file), AllowOverwrite: true, LogLevel: api.LogLevelSilent})
	meta, err := readMetafile(r.Metafile)
	if err != nil || len(r.Errors) > 0 {
		return false, nil //nolint:nilerr // Node says better what is wrong with it
	}
	for _, in := range meta.Inputs {
		return in.Format == "esm", nil
	}
	return false, nil
}

// packageType is the "type" of the nearest package.json above a file.
func packageType(file string) string {
	for dir := filepath.Dir(file); ; dir = filepath.Dir(dir) {
		b, err := os.ReadFile(filepath.Join(dir, "package.json")) //nolint:gosec // the function's own code
		if err == nil {
			var manifest struct {
				Type string `json:"type"`
			}
			if json.Unmarshal(b, &manifest) != nil {
				return ""
			}
			return manifest.Type
		}
		if filepath.Dir(dir) == dir || filepath.Base(dir) == "node_modules" {
			return ""
		}
	}
}

// isModule tells whether Node takes a file for an ES module.
func isModule(file string) bool {
	switch filepath.Ext(file) {
	case ".mjs", ".mts":
		return true
	case ".cjs", ".cts", ".json", ".node":
		return false
	}
	return packageType(file) == "module"
}

type metafile struct {
	Inputs map[string]struct {
		Format string `json:"format"`
	} `json:"inputs"`
}

func readMetafile(text string) (metafile, error) {
	var m metafile
	if text == "" {
		return m, errors.New("esbuild gave no metafile")
	}
	err := json.Unmarshal([]byte(text), &m)
	return m, err
}

// Make makes a handler's file, which is below codeDir, and what it imports into one file. Packages stay outside, loaded from
// node_modules as they are; only those that the bundle's kind cannot load are taken in. What the author can mend is an *Error.
func Make(codeDir, entry string) (*Bundle, error) {
	format := api.FormatCommonJS
	if isModule(entry) {
		format = api.FormatESModule
	}
	r := build(codeDir, entry, format)
	if format == api.FormatCommonJS && needsModule(r.Errors) {
		format = api.FormatESModule
		r = build(codeDir, entry, format)
	}
	if len(r.Errors) > 0 {
		return nil, errorOf(r.Errors[0])
	}
	if len(r.OutputFiles) == 0 {
		return nil, fmt.Errorf("bundle %s: esbuild gave no output", entry)
	}
	meta, err := readMetafile(r.Metafile)
	if err != nil {
		return nil, fmt.Errorf("bundle %s: %w", entry, err)
	}
	b := &Bundle{Text: r.OutputFiles[0].Contents, Module: format == api.FormatESModule, As: asOutput(entry)}
	for _, warning := range r.Warnings {
		b.Warnings = append(b.Warnings, messageText(warning))
	}
	for in := range meta.Inputs {
		if !filepath.IsAbs(in) {
			in = filepath.Join(codeDir, filepath.FromSlash(in))
		}
		if !strings.Contains(filepath.ToSlash(in), "/node_modules/") {
			b.Inputs = append(b.Inputs, in)
		}
	}
	slices.Sort(b.Inputs)
	return b, nil
}

// asOutput is where a deployed bundle would be: beside its source, as .js.
func asOutput(entry string) string { return strings.TrimSuffix(entry, filepath.Ext(entry)) + ".js" }

func build(codeDir, entry string, format api.Format) api.BuildResult {
	as := asOutput(entry)
	o := api.BuildOptions{
		EntryPoints:    []string{entry},
		AbsWorkingDir:  codeDir,
		Outfile:        as, // nothing is written there: it is what paths in the source map are relative to
		AllowOverwrite: true,
		Bundle:         true,
		Platform:       api.PlatformNode,
		Format:         format,
		Engines:        []api.Engine{{Name: api.EngineNode, Version: "18"}},
		Sourcemap:      api.SourceMapInline,
		SourcesContent: api.SourcesContentExclude,
		SourceRoot:     fileURL(filepath.Dir(as)) + "/",
		Loader:         map[string]api.Loader{".js": api.LoaderJSX},
		Conditions:     []string{"node-addons"}, // Node's own set; any stops esbuild from adding "module"
		Metafile:       true,
		LogLevel:       api.LogLevelSilent,
		Plugins:        []api.Plugin{packagesOutside(format)},
		Define: map[string]string{
			"import.meta.url":      strconv.Quote(fileURL(as)),
			"import.meta.filename": strconv.Quote(as),
			"import.meta.dirname":  strconv.Quote(filepath.Dir(as)),
		},
	}
	if format == api.FormatESModule {
		o.Define["__filename"], o.Define["__dirname"] = strconv.Quote(as), strconv.Quote(filepath.Dir(as))
		o.Banner = map[string]string{"js": "import { createRequire as __cleatCreateRequire } from 'node:module'; globalThis.require ??= __cleatCreateRequire(" + strconv.Quote(fileURL(as)) + ");"}
	}
	return api.Build(o)
}

// needsModule tells whether a bundle failed only for being CommonJS.
func needsModule(errs []api.Message) bool {
	return slices.ContainsFunc(errs, func(m api.Message) bool { return strings.Contains(m.Text, "Top-level await") })
}

func fileURL(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/...
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

// inner marks the plugin's own questions, so that it does not answer them itself.
type inner struct{}

// packagesOutside leaves packages out of a bundle. They are named by absolute path, since the bundle does not lie where
// its source does; one that cannot be found is named as in the source, so that it fails when it is reached, if ever.
func packagesOutside(format api.Format) api.Plugin {
	return api.Plugin{Name: "packages", Setup: func(b api.PluginBuild) {
		b.OnResolve(api.OnResolveOptions{Filter: `^[^./]|^\.[^./]|^\.\.[^/]`}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			if _, ours := a.PluginData.(inner); ours || a.Kind == api.ResolveEntryPoint || filepath.IsAbs(a.Path) {
				return api.OnResolveResult{}, nil
			}
			kind := a.Kind
			if format == api.FormatCommonJS && kind == api.ResolveJSImportStatement {
				kind = api.ResolveJSRequireCall // that is what it becomes
			}
			resolve := func(kind api.ResolveKind) api.ResolveResult {
				return b.Resolve(a.Path, api.ResolveOptions{Importer: a.Importer, Namespace: a.Namespace, ResolveDir: a.ResolveDir, Kind: kind, PluginData: inner{}})
			}
			found := resolve(kind)
			if len(found.Errors) > 0 && kind != a.Kind {
				if found = resolve(a.Kind); len(found.Errors) == 0 {
					return api.OnResolveResult{}, nil // only for import: taken in
				}
			}
			switch {
			case len(found.Errors) > 0:
				return api.OnResolveResult{Path: a.Path, External: true}, nil
			case found.External:
				return api.OnResolveResult{Path: found.Path, External: true}, nil
			case !strings.Contains(filepath.ToSlash(found.Path), "/node_modules/"):
				return api.OnResolveResult{}, nil // a path alias, or a package of the same workspace
			case filepath.Ext(found.Path) == ".json", kind == api.ResolveJSRequireCall && isModule(found.Path):
				return api.OnResolveResult{}, nil
			case kind == api.ResolveJSRequireCall || kind == api.ResolveJSRequireResolve:
				return api.OnResolveResult{Path: found.Path, External: true}, nil
			}
			return api.OnResolveResult{Path: fileURL(found.Path), External: true}, nil
		})
	}}
}

func messageText(m api.Message) string {
	if m.Location == nil {
		return m.Text
	}
	return m.Location.File + ":" + strconv.Itoa(m.Location.Line) + ": " + m.Text
}

func errorOf(m api.Message) *Error {
	return &Error{Text: messageText(m), Placed: m.Location != nil, Unresolved: strings.HasPrefix(m.Text, "Could not resolve")}
}

// SyntaxErrorPlace finds "file:line" of a syntax error in a handler that Node loads by itself: of ES modules Node tells
// the place to nobody but the terminal. It returns "" when esbuild finds nothing wrong.
func SyntaxErrorPlace(codeDir, handler string) string {
	base := strings.TrimSuffix(handler, filepath.Ext(handler))
	for _, ext := range []string{".js", ".mjs", ".cjs"} {
		entry := filepath.Join(codeDir, filepath.FromSlash(base)+ext)
		if !isFile(entry) {
			continue
		}
		for _, m := range build(codeDir, entry, api.FormatESModule).Errors {
			if m.Location != nil {
				return m.Location.File + ":" + strconv.Itoa(m.Location.Line)
			}
		}
	}
	return ""
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

//go:build unix

package lambda_test

import (
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/lambda"
)

// Spec lambda §5: handler styles and what each gives.
func TestNodeHandlerStyles(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ code, want string }{
		"async":                {`exports.h = async (e) => ({ got: e.x })`, `{"got":1}`},
		"promise":              {`exports.h = (e) => new Promise((ok) => setTimeout(() => ok(e.x), 5))`, `1`},
		"thenable":             {`exports.h = (e) => ({ then: (ok) => ok(e.x) })`, `1`},
		"undefined is null":    {`exports.h = async () => {}`, `null`},
		"callback":             {`exports.h = (e, c, cb) => { cb(null, { got: e.x }) }`, `{"got":1}`},
		"callback later":       {`exports.h = (e, c, cb) => { setTimeout(() => cb(null, e.x), 5) }`, `1`},
		"first completion":     {`exports.h = (e, c, cb) => { cb(null, 1); cb(null, 2); c.succeed(3) }`, `1`},
		"waits for empty loop": {`exports.h = (e, c, cb) => { const r = {}; cb(null, r); setTimeout(() => { r.late = true }, 20) }`, `{"late":true}`},
		"does not wait":        {`exports.h = (e, c, cb) => { c.callbackWaitsForEmptyEventLoop = false; const r = {}; cb(null, r); setTimeout(() => { r.late = true }, 50) }`, `{}`},
		"succeed":              {`exports.h = (e, c) => { setTimeout(() => {}, 60000); c.succeed('s') }`, `"s"`},
		"done":                 {`exports.h = (e, c) => { setTimeout(() => {}, 60000); c.done(null, 'd') }`, `"d"`},
		"sync without answer":  {`exports.h = () => 'ignored'`, `null`},
		"timers then empty":    {`exports.h = () => { setTimeout(() => {}, 5) }`, `null`},
		"one parameter sync":   {`exports.h = (e) => { e.x++ }`, `null`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTestPool(t, lambda.Options{}, node(write(t, map[string]string{"app.js": tt.code}), "app.h"))
			for range 2 { // the second time warm
				if got := p.succeed(t, `{"x":1}`); got != tt.want {
					t.Errorf("payload = %s, want %s", got, tt.want)
				}
			}
		})
	}
}

// Spec lambda §5: where a module is looked for, and in which export.
func TestNodeHandlerLookup(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		files   map[string]string
		handler string
		bundle  bool
	}{
		"js":                   {files: map[string]string{"app.js": `exports.h = async () => __dirname.length > 0`}},
		"cjs":                  {files: map[string]string{"app.cjs": `exports.h = async () => require('fs') !== undefined`}},
		"mjs":                  {files: map[string]string{"app.mjs": `export const h = async () => import.meta.url.startsWith('file:')`}},
		"type module":          {files: map[string]string{"app.js": `import 'fs'; export const h = async () => true`, "package.json": `{"type":"module"}`}},
		"top-level await":      {files: map[string]string{"app.mjs": `const v = await Promise.resolve(true); export const h = async () => v`}},
		"subfolder":            {files: map[string]string{"src/ws/app.js": `exports.h = async () => true`}, handler: "src/ws/app.h"},
		"nested export":        {files: map[string]string{"app.js": `exports.a = { b: { h: async () => true } }`}, handler: "app.a.b.h"},
		"extensionless":        {files: map[string]string{"app": `exports.h = async () => true`}},
		"node_modules":         {files: map[string]string{"node_modules/lib/index.js": `exports.h = async () => true`}, handler: "lib.h"},
		"folder with an index": {files: map[string]string{"src/app/index.js": `exports.h = async () => true`}, handler: "src/app.h"},
		"working directory":    {files: map[string]string{"app.js": `exports.h = async () => process.cwd() === __dirname && process.env.LAMBDA_TASK_ROOT === __dirname`}},

		"ts":              {files: map[string]string{"app.ts": `export const h = async (e: { x: number }): Promise<boolean> => true`}},
		"ts imports ts":   {files: map[string]string{"src/app.ts": `import { v } from '../lib/v'; enum E { A } export const h = async () => v && E.A === 0`, "lib/v.ts": `export const v: boolean = true`}, handler: "src/app.h"},
		"mts":             {files: map[string]string{"app.mts": `import { v } from './v.mjs'; export const h = async (): Promise<boolean> => v`, "v.mjs": `export const v = true`}},
		"cts":             {files: map[string]string{"app.cts": `export const h = async (): Promise<boolean> => true`}},
		"tsx":             {files: map[string]string{"app.tsx": `const React = { createElement: (n: string) => n }; export const h = async () => <b/> === 'b'`}},
		"ts with await":   {files: map[string]string{"app.ts": `const v = await Promise.resolve(true); export const h = async () => v`}},
		"ts of a module":  {files: map[string]string{"app.ts": `import { readFileSync } from 'node:fs'; export const h = async () => readFileSync(__dirname + '/package.json', 'utf8').includes('module') && import.meta.url.endsWith('app.js')`, "package.json": `{"type":"module"}`}},
		"ts and dirname":  {files: map[string]string{"src/app.ts": `import { readFileSync } from 'fs'; export const h = async () => readFileSync(__dirname + '/x.txt', 'utf8') === 'x'`, "src/x.txt": "x"}, handler: "src/app.h"},
		"ts path alias":   {files: map[string]string{"app.ts": `import { v } from '@lib/v'; export const h = async () => v`, "lib/v.ts": `export const v = true`, "tsconfig.json": `{"compilerOptions":{"paths":{"@lib/*":["./lib/*"]}}}`}},
		"js with imports": {files: map[string]string{"app.js": `import { v } from './v'; export const h = async () => v`, "v.js": `export const v = true`}},
		"bundled js":      {files: map[string]string{"app.js": `const { v } = require('./v'); exports.h = async () => v`, "v.ts": `export const v: boolean = true`}, bundle: true},
		"ts and package": {files: map[string]string{
			"app.ts":                         `import lib from 'lib'; import { sub } from '@s/lib/sub'; export const h = async () => lib.v && lib.where.includes('node_modules') && sub`,
			"node_modules/lib/index.js":      `exports.v = true; exports.where = __dirname`,
			"node_modules/@s/lib/sub.js":     `exports.sub = true`,
			"node_modules/@s/lib/index.d.ts": ``,
		}},
		"ts and module package": {files: map[string]string{
			"app.ts":                        `import { v } from 'lib'; export const h = async () => v`,
			"node_modules/lib/package.json": `{"type":"module","exports":{"import":"./main.js"}}`,
			"node_modules/lib/main.js":      `import { w } from './w.js'; export const v = w`,
			"node_modules/lib/w.js":         `export const w = true`,
		}},
		"module ts and packages": {files: map[string]string{
			"app.mts":                       `import { v } from 'lib'; import old from 'old'; import { createRequire } from 'node:module'; const r = createRequire(import.meta.url); export const h = async () => v && old.v && r('old').v`,
			"node_modules/lib/package.json": `{"type":"module","exports":{"import":"./main.js"}}`,
			"node_modules/lib/main.js":      `export const v = true`,
			"node_modules/old/index.js":     `exports.v = true`,
		}},
		"ts and an absent optional package": {files: map[string]string{"app.ts": `let v = false; try { require('absent') } catch { v = true } export const h = async () => v`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := node(write(t, tt.files), "app.h")
			if tt.handler != "" {
				f.Handler = tt.handler
			}
			f.Bundle = tt.bundle
			p := newTestPool(t, lambda.Options{}, f)
			if got := p.succeed(t, `{}`); got != "true" {
				t.Errorf("payload = %s, want true", got)
			}
		})
	}
}

// Spec lambda §2 and §5: error shapes, at start and in the handler.
func TestNodeErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		files         map[string]string
		handler       string
		errType, text string // of the payload
		cause         string
		runtime       func(*apigw.Function)
	}{
		"throws":            {files: map[string]string{"app.js": "\nexports.h = async () => { throw new TypeError('boom') }"}, errType: "TypeError", text: "boom", cause: "app.js:2: TypeError: boom"},
		"throws in ts":      {files: map[string]string{"src/app.ts": "interface A { b: string }\n\ntype C = A\nexport const h = async (e: A) => {\n  throw new RangeError('boom')\n}"}, handler: "src/app.h", errType: "RangeError", text: "boom", cause: "src/app.ts:5: RangeError: boom"},
		"throws in mts":     {files: map[string]string{"app.mts": "interface A { b: string }\n\ntype C = A\nexport const h = async (e: A) => {\n  throw new RangeError('boom')\n}"}, errType: "RangeError", text: "boom", cause: "app.mts:5: RangeError: boom"},
		"throws at once":    {files: map[string]string{"app.js": "exports.h = () => { throw new Error('boom') }"}, errType: "Error", text: "boom", cause: "app.js:1: Error: boom"},
		"callback error":    {files: map[string]string{"app.js": "exports.h = (e, c, cb) => { cb(new Error('boom')) }"}, errType: "Error", text: "boom", cause: "app.js:1: Error: boom"},
		"callback text":     {files: map[string]string{"app.js": "exports.h = (e, c, cb) => { cb('text') }"}, errType: "string", text: "text", cause: "serverless.yml:7: string: text"},
		"context.fail":      {files: map[string]string{"app.js": "exports.h = (e, c) => { c.fail(new Error('boom')) }"}, errType: "Error", text: "boom", cause: "app.js:1: Error: boom"},
		"rejects undefined": {files: map[string]string{"app.js": "exports.h = () => Promise.reject()"}, errType: "string", text: "undefined", cause: "serverless.yml:7: string: undefined"},
		"never settles":     {files: map[string]string{"app.js": "exports.h = async () => { await new Promise(() => {}) }"}, errType: "Runtime.NodeJsExit", text: "never settled", cause: "serverless.yml:7: Runtime.NodeJsExit"},
		"cyclic result":     {files: map[string]string{"app.js": "exports.h = async () => { const a = {}; a.a = a; return a }"}, errType: "Runtime.UnserializableResponse", text: "Unable to stringify response body", cause: "Unable to stringify response body"},
		"uncaught":          {files: map[string]string{"app.js": "exports.h = () => new Promise(() => {\n  setTimeout(() => { throw new Error('boom') }, 1)\n})"}, errType: "Error", text: "boom", cause: "app.js:2: Error: boom"},
		"unhandled":         {files: map[string]string{"app.js": "exports.h = () => new Promise(() => {\n  Promise.reject(new Error('boom'))\n})"}, errType: "Runtime.UnhandledPromiseRejection", text: "Error: boom", cause: "app.js:2: Runtime.UnhandledPromiseRejection: Error: boom"},
		"exit":              {files: map[string]string{"app.js": "exports.h = async () => { process.exit(3) }"}, errType: "Runtime.ExitError", text: "Error: Runtime exited with error: exit status 3", cause: "serverless.yml:7: function f: Runtime exited with error: exit status 3"},
		"exit in peace":     {files: map[string]string{"app.js": "exports.h = async () => { process.exit(0) }"}, errType: "Runtime.ExitError", text: "Error: Runtime exited without providing a reason", cause: "without providing a reason"},
		"killed":            {files: map[string]string{"app.js": "exports.h = async () => { process.kill(process.pid, 'SIGKILL'); await new Promise((r) => setTimeout(r, 5000)) }"}, errType: "Runtime.OutOfMemory", text: "signal: killed", cause: "memorySize 256 MB"},
		"out of memory": {files: map[string]string{"app.js": "exports.h = async () => { const a = []; for (;;) a.push(new Array(1e5).fill(0).map((_, i) => ({ i }))) }"}, errType: "Runtime.ExitError", text: "signal: aborted", cause: "function f ran out of memory (memorySize 32 MB)", runtime: func(f *apigw.Function) {
			f.MemorySize = 32
		}},

		"no module":       {files: map[string]string{"other.js": ""}, errType: "Runtime.ImportModuleError", text: "Error: Cannot find module 'app'", cause: "serverless.yml:7: Runtime.ImportModuleError: Error: Cannot find module 'app'"},
		"missing package": {files: map[string]string{"app.js": "\nrequire('@aws-sdk/client-x/y')"}, errType: "Runtime.ImportModuleError", text: "Cannot find module '@aws-sdk/client-x/y'", cause: "app.js:2: Runtime.ImportModuleError: Error: Cannot find module '@aws-sdk/client-x/y' (npm install @aws-sdk/client-x)"},
		"missing in ts":   {files: map[string]string{"app.ts": "\nimport a from 'aws-sdk'\nexport const h = async () => a"}, errType: "Runtime.ImportModuleError", text: "Cannot find module 'aws-sdk'", cause: "app.ts:2: Runtime.ImportModuleError: Error: Cannot find module 'aws-sdk' (npm install aws-sdk)"},
		"missing in mjs":  {files: map[string]string{"app.mjs": "import a from 'absent'\nexport const h = async () => a"}, errType: "Runtime.ImportModuleError", text: "Cannot find package 'absent'", cause: "(npm install absent)"},
		"missing file":    {files: map[string]string{"app.ts": "\nimport { a } from './absent'\nexport const h = async () => a"}, errType: "Runtime.ImportModuleError", text: "Could not resolve \"./absent\"", cause: "app.ts:2: Could not resolve \"./absent\""},
		"syntax":          {files: map[string]string{"app.js": "exports.h = async () => {\n  const = 1\n}"}, errType: "Runtime.UserCodeSyntaxError", text: "SyntaxError: Unexpected token '='", cause: "app.js:2: Runtime.UserCodeSyntaxError: SyntaxError: Unexpected token '='"},
		"syntax in mjs":   {files: map[string]string{"app.mjs": "export const h = async () => {\n  const = 1\n}"}, errType: "Runtime.UserCodeSyntaxError", text: "SyntaxError: Unexpected token '='", cause: "app.mjs:2: Runtime.UserCodeSyntaxError: SyntaxError: Unexpected token '='"},
		"syntax in ts":    {files: map[string]string{"app.ts": "export const h = async () => {\n  const = 1\n}"}, errType: "Runtime.UserCodeSyntaxError", text: "app.ts:2: Expected identifier", cause: "app.ts:2: Expected identifier"},
		"throws at start": {files: map[string]string{"app.js": "\n\nthrow new Error('boom')"}, errType: "Error", text: "boom", cause: "app.js:3: Error: boom"},
		"exits at start":  {files: map[string]string{"app.js": "process.exit(4)"}, errType: "Runtime.ExitError", text: "exit status 4", cause: "exit status 4"},
		"no export":       {files: map[string]string{"app.js": "exports.g = 1"}, errType: "Runtime.HandlerNotFound", text: "app.h is undefined or not exported", cause: "serverless.yml:7: Runtime.HandlerNotFound: app.h is undefined or not exported"},
		"only a default":  {files: map[string]string{"app.mjs": "export default { h: async () => 1 }"}, errType: "Runtime.HandlerNotFound", text: "app.h is undefined or not exported", cause: "app.h is undefined"},
		"no function":     {files: map[string]string{"app.js": "exports.h = 1"}, errType: "Runtime.HandlerNotFound", text: "app.h is not a function", cause: "app.h is not a function"},
		"dots":            {files: map[string]string{"app.js": ""}, handler: "../app.h", errType: "Runtime.MalformedHandlerName", text: "'../app.h' is not a valid handler name", cause: "Runtime.MalformedHandlerName"},
		"no dot":          {files: map[string]string{"app.js": ""}, handler: "app", errType: "Runtime.MalformedHandlerName", text: "Bad handler", cause: "Runtime.MalformedHandlerName"},
		"no code folder":  {files: map[string]string{"app.js": ""}, errType: "Runtime.InvalidEntrypoint", text: "does not exist", cause: "serverless.yml:7: the code folder", runtime: func(f *apigw.Function) { f.CodeDir += "/absent" }},
		"strange runtime": {files: map[string]string{"app.js": ""}, errType: "Runtime.InvalidRuntime", text: `"java21"`, cause: `serverless.yml:7: runtime "java21"`, runtime: func(f *apigw.Function) { f.Runtime = "java21" }},
		"no bootstrap":    {files: map[string]string{"app.js": ""}, errType: "Runtime.InvalidEntrypoint", text: "/bootstrap]", cause: "go build -o bootstrap", runtime: func(f *apigw.Function) { f.Runtime = "provided.al2023" }},
		"plain bootstrap": {files: map[string]string{"bootstrap": "x"}, errType: "Runtime.InvalidEntrypoint", text: "/bootstrap]", cause: "chmod +x", runtime: func(f *apigw.Function) { f.Runtime = "provided.al2023" }},
		"strange bootstrap": {files: map[string]string{"bootstrap": "#!/nonexistent/interpreter\n"}, errType: "Runtime.InvalidEntrypoint", text: "start the runtime", cause: "serverless.yml:7: start", runtime: func(f *apigw.Function) {
			f.Runtime = "provided.al2023"
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := node(write(t, tt.files), "app.h")
			if tt.handler != "" {
				f.Handler = tt.handler
			}
			if tt.runtime != nil {
				tt.runtime(&f)
			}
			p := newTestPool(t, lambda.Options{}, f)
			for range 2 { // a failure does not spoil the next call
				r, got := p.fail(t, `{}`)
				if got.ErrorType != tt.errType || !strings.Contains(got.ErrorMessage, tt.text) {
					t.Errorf("payload = %s, want type %q and text %q", r.Payload, tt.errType, tt.text)
				}
				if !strings.Contains(r.Cause, tt.cause) {
					t.Errorf("Cause = %q, want it to contain %q", r.Cause, tt.cause)
				}
			}
		})
	}
}

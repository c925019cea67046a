package serverless_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cleat/internal/variable"
)

// nodeOptions are options with a PATH, in which Node is.
func nodeOptions(more ...string) variable.Options {
	env := map[string]string{"PATH": os.Getenv("PATH"), "SYSTEMROOT": os.Getenv("SYSTEMROOT")}
	for _, kv := range more {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	return variable.Options{Opt: map[string]string{"who": "me"}, Env: env}
}

// programs is a project whose environment variable V is the variable that stands for VARIABLE.
const programs = `-- serverless.yml --
service: js
custom: { word: w, map: { k: kk } }
provider:
  name: aws
  region: eu-west-1
  runtime: nodejs20.x
  environment:
    V: VARIABLE
functions: { f: { handler: f.handler, events: [ { websocket: $default } ] } }
-- f.js --
-- conf.js --
console.log('noise');
const other = require('./lib/other');
module.exports = {
  a: 'A-' + other.x, n: null, undef: undefined, nested: { list: [1, { k: 'v-${self:custom.word}' }] },
  sync() { return this.a },
  fn: async ({ options, resolveVariable, resolveConfigurationProperty: property }) => ({
    options: options.stage + ' ' + options.region,
    word: await resolveVariable('self:custom.word'), prop: await property(['custom', 'map', 'k']),
    opt: await resolveVariable('opt:who'), env: await resolveVariable('env:MARK'),
    none: await resolveVariable("env:NOPE, 'none'"), sls: await resolveVariable('sls:stage'),
    both: (await Promise.all(['opt:who', 'self:custom.map'].map(resolveVariable))).map((v) => JSON.stringify(v)).join(),
  }),
};
-- lib/other.js --
exports.x = process.env.MARK;
-- whole.cjs --
module.exports = async () => { console.log('noise'); return { deep: { v: 'whole' } } };
-- esm.mjs --
export default { d: 'default' };
export const named = async () => 'named';
-- throws.js --

module.exports = () => { throw new TypeError('broken\nhere') };
-- syntax.js --
module.exports = {
  a: ,
}
-- syntax.mjs --
export const a = 1;
export const b = ;
-- circle.js --
module.exports = async ({ resolveVariable }) => resolveVariable('self:provider.environment.V');
-- missing.js --
module.exports = async ({ resolveVariable }) => resolveVariable('self:custom.nothing');
-- odd.js --
module.exports = async ({ resolveVariable }) => resolveVariable('what is this');
-- aws.js --
module.exports = async ({ resolveVariable }) => resolveVariable('ssm:/x');
-- json.js --
module.exports.a = module.exports;
-- exits.js --
process.exit(3);
-- large.js --
module.exports = 'x'.repeat(5 << 20);
`

func loadProgram(t *testing.T, o variable.Options, text string) (*reading, error) {
	t.Helper()
	return read(t, o, strings.Replace(programs, "VARIABLE", text, 1))
}

func TestProgramValues(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"${file(./conf.js):a}":               "A-mark",
		"${file(conf.js):sync}":              "A-mark",
		"${file(./conf.js):nested.list.0}":   "1",
		"${file(./conf.js):nested.list.1.k}": "v-w",
		"${file(./conf.js):undef, 'none'}":   "none",
		"${file(./conf.js):n, 'none'}":       "none",
		"${file(./conf.js):fn.options}":      "dev eu-west-1",
		"${file(./conf.js):fn.word}-${file(./conf.js):fn.prop}-${file(./conf.js):fn.opt}": "w-kk-me",
		"${file(./conf.js):fn.env}-${file(./conf.js):fn.none}-${file(./conf.js):fn.sls}":  "mark-none-dev",
		"${file(./conf.js):fn.both}":     `"me",{"k":"kk"}`,
		"${file(./whole.cjs):deep.v}":    "whole",
		"${file(./esm.mjs):d}":           "default",
		"${file(./esm.mjs):named}":       "named",
		"${file(./absent.js):a, 'none'}": "none",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			p, err := loadProgram(t, nodeOptions("MARK=mark"), text)
			if err != nil {
				t.Fatal(err)
			}
			v := p.Template.Path("Resources", "FLambdaFunction", "Properties", "Environment", "Variables", "V")
			if v.Str() != want {
				t.Errorf("got %s, want %s", v.Str(), want)
			}
			if strings.Contains(text, "conf.js") && !slices.Contains(p.Files(), filepath.Join(p.Dir, "lib", "other.js")) {
				t.Errorf("files are %q: a file that the program requires is missing", p.Files())
			}
		})
	}
}

// A program that cannot be run, or fails, is one fault at the place of the variable, with the program's own file and line.
func TestProgramFaults(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"${file(./throws.js)}":        "./throws.js: TypeError: broken (throws.js:2)",
		"${file(./throws.js), 'x'}":   "./throws.js: TypeError: broken (throws.js:2)",
		"${file(./syntax.js)}":        "./syntax.js: SyntaxError: Unexpected token ',' (syntax.js:2)",
		"${file(./syntax.mjs)}":       "./syntax.mjs: SyntaxError: Unexpected token ';' (syntax.mjs:2)",
		"${file(./circle.js)}":        "the variables refer to each other in a circle: ${file(./circle.js)} (serverless.yml:8)",
		"${file(./missing.js)}":       "./missing.js: Error: ${self:custom.nothing} has no value: there is no custom.nothing in serverless.yml",
		"${file(./odd.js)}":           `"what is this" is not a variable, such as self:custom.x`,
		"${file(./aws.js)}":           `an SSM parameter is not looked up: give --param "ssm:/x=…"`,
		"${file(./json.js):a}":        "./json.js: TypeError: Converting circular structure to JSON",
		"${file(./exits.js)}":         "./exits.js: it ended without a value: exit status 3",
		"${file(./large.js)}":         "./large.js: the value is larger than 4 MiB",
		"${file(./conf.js):undef}":    "there is no undef in what ./conf.js exports",
		"${file(./absent.js)}":        "there is no file ./absent.js",
		"${file(./conf.ts)}":          "is a TypeScript program",
		"x-${file(./conf.js):nested}": "cannot be put into a text",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			_, err := loadProgram(t, nodeOptions(), text)
			if err == nil || !strings.HasPrefix(err.Error(), "serverless.yml:8: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one fault at line 8 with %q", err, want)
			}
		})
	}
}

// Without Node nothing is run: a default counts, and else the fault says what is missing.
func TestProgramWithoutNode(t *testing.T) {
	t.Parallel()
	if _, err := loadProgram(t, variable.Options{Env: map[string]string{"PATH": t.TempDir()}}, "${file(./conf.js):a}"); err == nil || !strings.Contains(err.Error(), "no `node` in the PATH") {
		t.Errorf("got %v, want a fault about Node", err)
	}
	p, err := loadProgram(t, variable.Options{}, "${file(./conf.js):a, 'b'}")
	if err != nil || len(p.Warnings) == 0 || !strings.Contains(p.Warnings[0].Message, "its default is taken") {
		t.Errorf("got %v, %v, want a warning", p.Warnings, err)
	}
	if _, err := loadProgram(t, variable.Options{NodePath: filepath.Join(t.TempDir(), "none")}, "${file(./conf.js):a}"); err == nil || !strings.Contains(err.Error(), "start node") {
		t.Errorf("got %v, want a fault about the start", err)
	}
}

// A program that exports data runs once for all addresses, one that exports functions once for each; and only when a
// value is wanted.
func TestProgramRunsOnce(t *testing.T) {
	t.Parallel()
	count := "-- count.js --\nrequire('fs').appendFileSync(__dirname + '/count', 'x'); exports.a = 'a'; exports.b = 'b'\n-- counted.js --\nrequire('fs').appendFileSync(__dirname + '/count', 'z'); exports.a = 'a'; exports.b = () => 'b'\n-- never.js --\nrequire('fs').appendFileSync(__dirname + '/count', 'y')\n"
	text := strings.Replace(programs, "VARIABLE", "'${file(./count.js):a}${file(./count.js):a}'\n    W: ${file(./count.js):b}\n    X: ${file(./counted.js):a}${file(./counted.js):a}${file(./counted.js):b}", 1)
	text = strings.Replace(text, "word: w", "word: w, unused: '${file(./never.js):a}'", 1)
	p, err := read(t, nodeOptions(), text+count)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(p.Dir, "count"))
	if err != nil || string(got) != "xzz" {
		t.Errorf("got runs %q, %v; want xzz", got, err)
	}
}

// --param gives the value of what only AWS could say, under its whole address.
func TestParamsOfOutsideSources(t *testing.T) {
	t.Parallel()
	for text, key := range map[string]string{
		"${ssm:/app/key}":                            "ssm:/app/key",
		"${ssm(eu-west-1):/app/key}":                 "ssm:/app/key",
		"${ssm(eu-west-1):/app/${self:custom.word}}": "ssm(eu-west-1):/app/w",
		"${cf:stack.Out}":                            "cf:stack.Out",
		"${cf.eu-west-1:stack.Out}":                  "cf.eu-west-1:stack.Out",
		"${s3:bucket/key, 'x'}":                      "s3:bucket/key",
		"${aws:userId}":                              "aws:userId",
		"${awsSecrets:x}":                            "awsSecrets:x",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			p, err := loadProgram(t, variable.Options{Params: map[string]string{key: "given"}}, text)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Template.Path("Resources", "FLambdaFunction", "Properties", "Environment", "Variables", "V").Str(); got != "given" {
				t.Errorf("got %q, want given", got)
			}
			if _, err := loadProgram(t, variable.Options{}, strings.Replace(text, ", 'x'", "", 1)); err == nil || !strings.Contains(err.Error(), "give --param ") {
				t.Errorf("without it: got %v, want a fault that names --param", err)
			}
		})
	}
}

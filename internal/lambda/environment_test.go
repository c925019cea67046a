//go:build unix

package lambda_test

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/lambda"
)

var logStream = regexp.MustCompile(`^\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}$`)

// Spec lambda §4: what a function finds in its environment.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	const code = `exports.h = async () => process.env`
	tests := map[string]struct {
		o    lambda.Options
		env  map[string]string
		want map[string]string // "-" means absent
	}{
		"sandbox": {want: map[string]string{
			"_HANDLER": "app.h", "AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
			"AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f", "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand", "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
			"AWS_EXECUTION_ENV": "AWS_Lambda_nodejs20.x", "TZ": ":UTC", "LANG": "en_US.UTF-8", "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR", "HOME": "/nonexistent", "NODE_OPTIONS": "-",
			"HTTPS_PROXY": "-", "SSL_CERT_FILE": "-",
		}},
		"dummy credentials": {want: map[string]string{"AWS_ACCESS_KEY_ID": "cleat", "AWS_SECRET_ACCESS_KEY": "cleat", "AWS_SESSION_TOKEN": "cleat"}},
		"own credentials":   {o: lambda.Options{Env: append(testEnv(), "AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY=s")}, want: map[string]string{"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "-"}},
		"profile":           {o: lambda.Options{Env: append(testEnv(), "AWS_PROFILE=p")}, want: map[string]string{"AWS_PROFILE": "p", "AWS_ACCESS_KEY_ID": "-"}},
		"order":             {o: lambda.Options{Env: append(testEnv(), "A=env", "B=env", "C=env"), ExtraEnv: map[string]string{"B": "extra", "C": "extra"}}, env: map[string]string{"C": "own"}, want: map[string]string{"A": "env", "B": "extra", "C": "own"}},
		"reserved":          {env: map[string]string{"AWS_REGION": "x", "_HANDLER": "x", "AWS_LAMBDA_RUNTIME_API": "x", "TZ": "Asia/Tokyo"}, want: map[string]string{"AWS_REGION": "us-east-1", "_HANDLER": "app.h", "TZ": "Asia/Tokyo"}},
		"region":            {o: lambda.Options{Region: "eu-west-1"}, want: map[string]string{"AWS_REGION": "eu-west-1"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := node(write(t, map[string]string{"app.js": code}), "app.h")
			f.Environment = tt.env
			p := newTestPool(t, tt.o, f)
			var got map[string]string
			if err := json.Unmarshal([]byte(p.succeed(t, `{}`)), &got); err != nil {
				t.Fatal(err)
			}
			for name, want := range tt.want {
				if value, ok := got[name]; value != want && (ok || want != "-") {
					t.Errorf("%s = %q, want %q", name, value, want)
				}
			}
			if !logStream.MatchString(got["AWS_LAMBDA_LOG_STREAM_NAME"]) {
				t.Errorf("AWS_LAMBDA_LOG_STREAM_NAME = %q", got["AWS_LAMBDA_LOG_STREAM_NAME"])
			}
			if name == "reserved" && !strings.Contains(p.log.String(), "name=AWS_REGION place=serverless.yml:7") {
				t.Error("no warning of a reserved variable")
			}
		})
	}
}

func TestMissingInterpreter(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"app.js": "", "app.py": ""})
	for name, tt := range map[string]struct {
		f    apigw.Function
		o    lambda.Options
		want string
	}{
		"node":         {node(dir, "app.h"), lambda.Options{Env: []string{"PATH=/nonexistent"}}, "serverless.yml:7: function f (nodejs20.x) needs Node.js: no node in PATH"},
		"python":       {python(dir, "app.h"), lambda.Options{Env: []string{"PATH=/nonexistent"}}, "serverless.yml:7: function f (python3.12) needs Python: no python3 in PATH"},
		"given node":   {node(dir, "app.h"), lambda.Options{NodePath: "/nonexistent/node"}, "/nonexistent/node is not an executable file"},
		"given python": {python(dir, "app.h"), lambda.Options{PythonPath: "/nonexistent/python"}, "/nonexistent/python is not an executable file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTestPool(t, tt.o, tt.f)
			if r, got := p.fail(t, `{}`); got.ErrorType != "Runtime.InvalidEntrypoint" || !strings.Contains(r.Cause, tt.want) {
				t.Errorf("payload %s, cause %q; want %q", r.Payload, r.Cause, tt.want)
			}
		})
	}
}

// The project's own virtual environment comes before the PATH.
func TestPythonOfTheProject(t *testing.T) {
	t.Parallel()
	fake := "#!/bin/sh\nWHICH=$0 exec python3 \"$@\"\n"
	code := map[string]string{"p/src/app.py": "import os\ndef h(e, c):\n  return os.environ.get('WHICH', '')", "active/bin/python": fake}
	tests := map[string]struct{ file, env, want string }{
		"in the code folder": {"p/src/.venv/bin/python", "", "p/src/.venv/bin/python"},
		"above":              {"p/venv/bin/python", "", "p/venv/bin/python"},
		"active":             {"p/.venv/bin/python", "active", "active/bin/python"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := write(t, code)
			rewrite(t, filepath.Join(dir, tt.file), fake)
			o := lambda.Options{Env: testEnv()}
			if tt.env != "" {
				o.Env = append(o.Env, "VIRTUAL_ENV="+filepath.Join(dir, tt.env))
			}
			p := newTestPool(t, o, python(dir+"/p/src", "app.h"))
			if got, want := p.succeed(t, `{}`), strconv.Quote(filepath.Join(dir, tt.want)); got != want {
				t.Errorf("python = %s, want %s", got, want)
			}
		})
	}
}

//go:build unix

package lambda_test

import (
	"strings"
	"testing"

	"cleat/internal/lambda"
)

// Spec lambda §6: what a handler gets and may return.
func TestPythonHandlers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		files   map[string]string
		handler string
		runtime string
		want    string
	}{
		"result":          {files: map[string]string{"app.py": "def h(e, c):\n  return {'got': e['x']}"}, want: `{"got": 1}`},
		"none":            {files: map[string]string{"app.py": "def h(e, c):\n  pass"}, want: `null`},
		"decimal":         {files: map[string]string{"app.py": "from decimal import Decimal\ndef h(e, c):\n  return [Decimal('1'), Decimal('1.5')]"}, want: `[1, 1.5]`},
		"nan":             {files: map[string]string{"app.py": "def h(e, c):\n  return float('nan')"}, want: `NaN`},
		"bytes":           {files: map[string]string{"app.py": "def h(e, c):\n  return b'raw'"}, want: `raw`},
		"text from 3.12":  {files: map[string]string{"app.py": "def h(e, c):\n  return 'ü'"}, want: `"ü"`},
		"text before":     {files: map[string]string{"app.py": "def h(e, c):\n  return 'ü'"}, runtime: "python3.11", want: `"\u00fc"`},
		"package":         {files: map[string]string{"src/ws/app.py": "from lib.v import v\ndef h(e, c):\n  return v", "lib/v.py": "v = 1"}, handler: "src/ws/app.h", want: `1`},
		"working folder":  {files: map[string]string{"app.py": "import os\ndef h(e, c):\n  return os.getcwd() == os.path.dirname(__file__) == os.environ['LAMBDA_TASK_ROOT']"}, want: `true`},
		"empty event":     {files: map[string]string{"app.py": "def h(e, c):\n  return e == {'x': 1}"}, want: `true`},
		"surrogate":       {files: map[string]string{"app.py": "def h(e, c):\n  return chr(0xd800)"}, want: `"\ud800"`},
		"no own bytecode": {files: map[string]string{"app.py": "import lib, os\ndef h(e, c):\n  return os.listdir(os.path.dirname(__file__)).count('__pycache__')", "lib.py": ""}, want: `0`},
		"context": {
			files: map[string]string{"app.py": "def h(e, c):\n  assert 0 < c.get_remaining_time_in_millis() <= 20000\n  assert c.client_context is None and c.identity.cognito_identity_id is None\n" +
				"  return [c.function_name, c.function_version, c.memory_limit_in_mb, c.invoked_function_arn, c.log_group_name, len(c.aws_request_id)]"},
			want: `["f", "$LATEST", "256", "arn:aws:lambda:us-east-1:123456789012:function:f", "/aws/lambda/f", 36]`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := python(write(t, tt.files), "app.h")
			if tt.handler != "" {
				f.Handler = tt.handler
			}
			if tt.runtime != "" {
				f.Runtime = tt.runtime
			}
			p := newTestPool(t, lambda.Options{}, f)
			for range 2 {
				if got := p.succeed(t, `{"x":1}`); got != tt.want {
					t.Errorf("payload = %s, want %s", got, tt.want)
				}
			}
		})
	}
}

// Spec lambda §2 and §6.
func TestPythonErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		files                map[string]string
		handler              string
		errType, text, cause string
		trace                string
	}{
		"raises":         {files: map[string]string{"app.py": "\ndef h(e, c):\n  raise ValueError('boom')"}, errType: "ValueError", text: "boom", cause: "app.py:3: ValueError: boom", trace: "app.py\", line 3, in h\n    raise ValueError('boom')\n"},
		"not JSON":       {files: map[string]string{"app.py": "def h(e, c):\n  return {1, 2}"}, errType: "Runtime.MarshalError", text: "Unable to marshal response: Object of type set is not JSON serializable", cause: "serverless.yml:7: Runtime.MarshalError"},
		"coroutine":      {files: map[string]string{"app.py": "async def h(e, c):\n  return 1"}, errType: "Runtime.MarshalError", text: "coroutine", cause: "Runtime.MarshalError"},
		"exits":          {files: map[string]string{"app.py": "import sys\ndef h(e, c):\n  sys.exit(3)"}, errType: "Runtime.ExitError", text: "exit status 3", cause: "exit status 3"},
		"no module":      {files: map[string]string{"other.py": ""}, errType: "Runtime.ImportModuleError", text: "Unable to import module 'app': No module named 'app'", cause: "serverless.yml:7: Runtime.ImportModuleError: Unable to import module 'app'"},
		"missing import": {files: map[string]string{"app.py": "\nimport absent_x"}, errType: "Runtime.ImportModuleError", text: "No module named 'absent_x'", cause: "app.py:2: Runtime.ImportModuleError: Unable to import module 'app': No module named 'absent_x' (pip install absent_x)"},
		"syntax":         {files: map[string]string{"app.py": "\ndef h(e, c:\n  pass"}, errType: "Runtime.UserCodeSyntaxError", text: "Syntax error in module 'app': ", cause: "app.py:2: Runtime.UserCodeSyntaxError"},
		"at start":       {files: map[string]string{"app.py": "\n1/0"}, errType: "ZeroDivisionError", text: "division by zero", cause: "app.py:2: ZeroDivisionError: division by zero"},
		"no function":    {files: map[string]string{"app.py": ""}, errType: "Runtime.HandlerNotFound", text: "Handler 'h' missing on module 'app'", cause: "Runtime.HandlerNotFound"},
		"one piece":      {files: map[string]string{"app.py": ""}, handler: "app", errType: "Runtime.MalformedHandlerName", text: "Bad handler 'app': not enough values to unpack (expected 2, got 1)", cause: "Runtime.MalformedHandlerName"},
		"built-in":       {files: map[string]string{"sys.py": ""}, handler: "sys.h", errType: "Runtime.BuiltInModuleConflict", text: "Cannot use built-in module sys as a handler module", cause: "Cannot use built-in module"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := python(write(t, tt.files), "app.h")
			if tt.handler != "" {
				f.Handler = tt.handler
			}
			p := newTestPool(t, lambda.Options{}, f)
			for range 2 {
				r, got := p.fail(t, `{}`)
				if got.ErrorType != tt.errType || !strings.Contains(got.ErrorMessage, tt.text) {
					t.Errorf("payload = %s, want type %q and text %q", r.Payload, tt.errType, tt.text)
				}
				if !strings.Contains(r.Cause, tt.cause) {
					t.Errorf("Cause = %q, want it to contain %q", r.Cause, tt.cause)
				}
				if tt.trace != "" && (len(got.StackTrace) != 1 || !strings.HasSuffix(got.StackTrace[0], tt.trace) || got.RequestID == nil || *got.RequestID != r.RequestID) {
					t.Errorf("payload = %s, want one frame %q and request ID %s", r.Payload, tt.trace, r.RequestID)
				}
			}
		})
	}
}

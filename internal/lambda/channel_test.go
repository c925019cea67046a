//go:build unix

package lambda_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cleat/internal/lambda"
)

// oddRuntime stands in for our own runtime of Node functions: it comes by TCP, and answers each event as the case has it.
const oddRuntime = `#!/usr/bin/env node
const net = require('net')
const [, host, port, secret] = /^(.*):(\d+)(\/.*)$/.exec(process.env.AWS_LAMBDA_RUNTIME_API)
const socket = net.connect({ host, port, noDelay: true })
const say = (text) => new Promise((done) => socket.write(text, done))
const wait = (ms) => new Promise((done) => setTimeout(done, ms))
let heard = '', open = false
socket.on('error', () => process.exit(5)) // a reset: not all was read
socket.on('close', () => process.exit(5))
socket.on('data', (b) => {
	heard += b.toString('latin1')
	if (!open && heard.includes('\r\n\r\n')) {
		if (!heard.startsWith('HTTP/1.1 101 ')) process.exit(4)
		open = true
		heard = heard.slice(heard.indexOf('\r\n\r\n') + 4)
		process.stdout.write('\0init\n')
		process.stderr.write('\0init\n')
		say('next\n')
	}
	if (!open || !heard.includes('\n')) return
	const line = heard.slice(0, heard.indexOf('\n')), head = JSON.parse(line)
	const event = heard.slice(line.length + 1)
	if (event.length < head.length) return
	heard = ''
	process.stdout.write('\0' + head.id + '\n')
	process.stderr.write('\0' + head.id + '\n')
	answer(head, event)
})
socket.write('GET ' + secret + '/channel HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: cleat\r\n\r\n')
`

// What a worker of our own runtimes says is understood however it arrives, and what it does not finish counts for nothing.
func TestChannel(t *testing.T) {
	t.Parallel()
	type want struct{ payload, errorType, cause, log string }
	tests := map[string]struct {
		answer string
		want   want
	}{
		"at once":        {"await say('response ' + head.id + ' ' + event.length + '\\n' + event + 'next\\n')", want{payload: `{"n":1}`}},
		"byte by byte":   {"for (const c of 'response ' + head.id + ' 7\\n[1,2,3]next\\n') { await say(c); await wait(1) }", want{payload: "[1,2,3]"}},
		"of another":     {"await say('response 1 1\\n8error 2 2 E\\n{}response ' + head.id + ' 1\\n9next\\n')", want{payload: "9"}},
		"answers once":   {"await say('response ' + head.id + ' 1\\n7response ' + head.id + ' 1\\n8next\\n')", want{payload: "7"}},
		"too large":      {"await say('response ' + head.id + ' 6291557\\n' + ' '.repeat(6291557) + 'next\\n')", want{errorType: "Function.ResponseSizeTooLarge", cause: "more than 6291556 bytes"}},
		"error":          {"await say('error ' + head.id + ' 20 A kind\\n{\"errorMessage\":\"m\"}next\\n')", want{errorType: "", cause: "serverless.yml:7: m"}},
		"error, no JSON": {"await say('error ' + head.id + ' 4 A kind\\noh, next\\n')", want{errorType: "A kind", cause: "A kind: oh,"}},
		"long error":     {"await say('error ' + head.id + ' 300000 E\\n' + 'x'.repeat(300000) + 'next\\n')", want{errorType: "E", cause: "E: xxx"}},
		"and dies":       {"await say('response ' + head.id + ' 1\\n5'); process.exit(3)", want{payload: "5"}},
		"dies midway":    {"await say('response ' + head.id + ' 9\\n{\"a\":'); process.exit(3)", want{errorType: "Runtime.ExitError", cause: "exit status 3"}},
		"hangs up":       {"socket.end()", want{errorType: "Runtime.ExitError", cause: "exit status 5"}},
		"other words":    {"await say('hello\\n')", want{errorType: "Runtime.ExitError", cause: "exit status 5", log: "none of its words"}},
		"no number":      {"await say('response ' + head.id + ' -1\\n')", want{errorType: "Runtime.ExitError", cause: "exit status 5", log: "is no number"}},
		"endless line":   {"await say('x'.repeat(10000))", want{errorType: "Runtime.ExitError", cause: "exit status 5", log: "buffer full"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := write(t, map[string]string{"app.js": "", "runtime/node": oddRuntime + "async function answer(head, event) { " + tt.answer + " }\n"})
			p := newTestPool(t, lambda.Options{NodePath: filepath.Join(dir, "runtime/node")}, node(dir, "app.h"))
			for range 2 { // the second call by the same worker, or one that took its place
				if tt.want.cause == "" {
					if got := p.succeed(t, `{"n":1}`); got != tt.want.payload {
						t.Errorf("payload = %q, want %q", got, tt.want.payload)
					}
					continue
				}
				r, f := p.fail(t, `{"n":1}`)
				if f.ErrorType != tt.want.errorType || !strings.Contains(r.Cause, tt.want.cause) {
					t.Errorf("%s, cause %q; want error type %q, and %q in the cause", r.Payload, r.Cause, tt.want.errorType, tt.want.cause)
				}
			}
			if tt.want.log != "" {
				eventually(t, "log has "+tt.want.log, func() bool { return strings.Contains(p.log.String(), tt.want.log) })
			}
		})
	}
}

// Whatever the size and the characters, by a socket file and by TCP: events and answers are what they were.
func TestChannelCarriesAnything(t *testing.T) {
	t.Parallel()
	text := "a\u0000\u2028\U0001F600\n\"\\é"
	payloads := map[string]any{
		"empty": "", "text": text, "nested": map[string]any{"id": "mine", "length": 3, "event": []any{text, nil, true, 1.5}}, "null": nil,
		"a socket's worth": strings.Repeat(text, 20_000), "6 MB": strings.Repeat("x€", 1_500_000),
	}
	functions := map[string]map[string]string{
		"node":   {"app.js": "exports.h = async (e) => e"},
		"python": {"app.py": "def h(e, c):\n    return e\n"},
	}
	// A socket's path has about a hundred bytes at most.
	for way, below := range map[string]string{"file": "", "tcp": strings.Repeat("d", 120)} {
		for language, files := range functions {
			t.Run(language+" by "+way, func(t *testing.T) {
				t.Parallel()
				f := node(write(t, files), "app.h")
				if language == "python" {
					f = python(f.CodeDir, "app.h")
				}
				temp, err := os.MkdirTemp("", "") // not the test's, whose name is in the path
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = os.RemoveAll(temp) })
				temp = filepath.Join(temp, below)
				if err := os.MkdirAll(temp, 0o700); err != nil {
					t.Fatal(err)
				}
				p := newTestPool(t, lambda.Options{TempDir: temp}, f)
				if got := strings.Contains(p.log.String(), "reached by TCP"); got != (way == "tcp") {
					t.Errorf("by TCP: %v", got)
				}
				for name, value := range payloads {
					sent, err := json.Marshal(value)
					if err != nil {
						t.Fatal(err)
					}
					var got any
					if err := json.Unmarshal([]byte(p.succeed(t, string(sent))), &got); err != nil {
						t.Fatal(err)
					}
					back, err := json.Marshal(got)
					if err != nil {
						t.Fatal(err)
					}
					if string(back) != string(sent) {
						t.Errorf("%s: %d bytes came back as %d: %.100s", name, len(sent), len(back), back)
					}
				}
			})
		}
	}
}

package lambda

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"cleat/internal/apigw"
	"cleat/internal/jsbundle"
)

// fault is a failure of the user's code or set-up that shows before a worker runs.
type fault struct {
	kind    string // the errorType, such as "Runtime.ImportModuleError"
	message string
	trace   []string
	cause   string // one line for the log: file, line and cause
}

func (f *fault) Error() string { return f.cause }

func (f *fault) outcome(requestID string) outcome {
	r := report{ErrorType: f.kind, ErrorMessage: f.message, Trace: f.trace}
	if f.kind == "Runtime.InvalidEntrypoint" {
		r.ErrorMessage = "RequestId: " + requestID + " Error: " + f.message
	}
	return outcome{payload: r.marshal(), failed: true, cause: f.cause}
}

// report is the payload of a failed invocation (spec lambda §2).
type report struct {
	ErrorType    string   `json:"errorType"`
	ErrorMessage string   `json:"errorMessage"`
	Trace        []string `json:"trace,omitempty"`      // Node
	StackTrace   []string `json:"stackTrace,omitempty"` // Python
}

func (r report) marshal() []byte {
	b, err := json.Marshal(r)
	if err != nil {
		return []byte(`{"errorType":"Runtime.Unknown"}`) // not reached: strings always marshal
	}
	return b
}

// timeoutOutcome is the payload of spec lambda §2 for a function that was killed for its time-out.
func (w *worker) timeoutOutcome(j *job) outcome {
	configured := w.def.Timeout
	if configured <= 0 {
		configured = apigw.QuotaFunctionTimeout
	}
	text := fmt.Sprintf("Task timed out after %.2f seconds", configured.Seconds())
	w.platform(j, time.Now().UTC().Format("2006-01-02T15:04:05.000Z")+" "+j.requestID+" "+text)
	return outcome{
		payload: report{ErrorType: "Sandbox.Timedout", ErrorMessage: "RequestId: " + j.requestID + " Error: " + text}.marshal(),
		failed:  true,
		cause:   fmt.Sprintf("%s: function %s did not answer within its timeout of %g s", place(w.def), w.def.Name, configured.Seconds()),
	}
}

func (w *worker) tooLargeOutcome() outcome {
	return outcome{
		payload: report{ErrorType: "Function.ResponseSizeTooLarge", ErrorMessage: fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", maxResponse)}.marshal(),
		failed:  true,
		cause:   fmt.Sprintf("%s: function %s answered with more than %d bytes", place(w.def), w.def.Name, maxResponse),
	}
}

// exitOutcome is the payload for a worker that ended without an answer. The process has ended.
func (w *worker) exitOutcome(j *job) outcome {
	state := w.cmd.ProcessState
	errs := w.stderr.lines()
	kind, reason := "Runtime.ExitError", "Runtime exited without providing a reason"
	var cause string
	if state != nil && !state.Success() {
		reason = "Runtime exited with error: " + strings.TrimSuffix(state.String(), " (core dumped)")
	}
	killed := state != nil && strings.HasPrefix(state.String(), "signal: killed")
	w.mu.Lock()
	ours := w.killed
	w.mu.Unlock()
	switch {
	case ours != "":
		cause = "function " + w.def.Name + " was ended: " + string(ours)
	case killed:
		kind = "Runtime.OutOfMemory"
		cause = fmt.Sprintf("%s: the process of function %s was killed; most likely it ran out of memory (memorySize %d MB)", place(w.def), w.def.Name, memorySize(w.def))
	case containsLine(errs, "heap out of memory"):
		cause = fmt.Sprintf("%s: function %s ran out of memory (memorySize %d MB)", place(w.def), w.def.Name, memorySize(w.def))
	default:
		cause = place(w.def) + ": function " + w.def.Name + ": " + reason
		if at := locate(errs, w.def.CodeDir); at != "" {
			cause = at + ": " + reason
		}
		if last := lastLine(errs); last != "" {
			cause += ": " + last
		}
		cause = oneLine(cause)
	}
	return outcome{
		payload: report{ErrorType: kind, ErrorMessage: "RequestId: " + j.requestID + " Error: " + reason}.marshal(),
		failed:  true,
		cause:   cause,
	}
}

func containsLine(lines []string, text string) bool {
	return slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, text) })
}

// oneLine makes text from a function fit for one line of the log.
func oneLine(s string) string {
	const most = 1000
	s = strings.ToValidUTF8(s, "\uFFFD") // before it is cut: what is no text grows
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.TrimSpace(s))
}

func lastLine(lines []string) string {
	for _, l := range slices.Backward(lines) {
		if s := strings.TrimSpace(l); s != "" {
			return s
		}
	}
	return ""
}

// reportedOutcome is the payload that a runtime reported for its function.
func (w *worker) reportedOutcome(body []byte, errType string) outcome {
	var r report
	if !json.Valid(body) {
		r = report{ErrorType: errType, ErrorMessage: strings.ToValidUTF8(string(body), "\uFFFD")}
		body = r.marshal()
	} else if err := json.Unmarshal(body, &r); err != nil {
		r = report{ErrorType: errType, ErrorMessage: string(body)} // JSON of another shape
	}
	return outcome{payload: body, failed: true, cause: r.cause(w.def)}
}

// cause puts a report into one line.
func (r report) cause(def apigw.Function) string {
	at := locate(append(r.Trace, r.StackTrace...), def.CodeDir)
	if at == "" && r.ErrorType == "Runtime.UserCodeSyntaxError" && strings.HasPrefix(def.Runtime, "nodejs") {
		at = jsbundle.SyntaxErrorPlace(def.CodeDir, def.Handler)
	}
	if at == "" {
		at = place(def)
	}
	text, _, _ := strings.Cut(strings.TrimSpace(r.ErrorMessage), "\n")
	if r.ErrorType != "" && !strings.HasPrefix(text, r.ErrorType) {
		text = r.ErrorType + ": " + text
	}
	return oneLine(at + ": " + text + installHint(r, def))
}

var (
	missingNode   = regexp.MustCompile(`Cannot find (?:module|package) '([^'\n]+)'`)
	missingPython = regexp.MustCompile(`No module named '([^'\n.]+)`)
)

// installHint says how to get a package that the function lacks.
func installHint(r report, def apigw.Function) string {
	text := r.ErrorMessage
	if m := missingNode.FindStringSubmatch(text); m != nil && !strings.HasPrefix(m[1], ".") && !filepath.IsAbs(m[1]) {
		name, rest, _ := strings.Cut(m[1], "/")
		if strings.HasPrefix(name, "@") {
			sub, _, _ := strings.Cut(rest, "/")
			name += "/" + sub
		}
		return " (npm install " + name + ")"
	}
	if m := missingPython.FindStringSubmatch(text); m != nil && r.ErrorType == "Runtime.ImportModuleError" {
		if _, err := os.Stat(filepath.Join(def.CodeDir, m[1])); err != nil {
			return " (pip install " + m[1] + ")"
		}
	}
	return ""
}

var (
	nodeFrame   = regexp.MustCompile(`(?:^|\(|\s)((?:file://)?(?:/|[A-Za-z]:[\\/])[^()\n]*?):(\d+)(?::\d+)?\)?$`)
	pythonFrame = regexp.MustCompile(`File "([^"\n]+)", [Ll]ine (\d+)`)
)

// locate finds the frame of a stack trace that lies in the function's own code: the innermost one. It returns
// "file:line" with the file relative to the code folder, or "" when there is none.
func locate(trace []string, codeDir string) string {
	innermost := "" // of Python, whose last frame is the innermost
	for _, entry := range trace {
		for line := range strings.SplitSeq(entry, "\n") {
			if m := pythonFrame.FindStringSubmatch(line); m != nil {
				if file, ok := ownFile(m[1], codeDir); ok {
					innermost = file + ":" + m[2]
				}
			} else if m := nodeFrame.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
				if file, ok := ownFile(m[1], codeDir); ok {
					return file + ":" + m[2]
				}
			}
		}
	}
	return innermost
}

// ownFile returns a file's path relative to the code folder; false for files elsewhere and for dependencies. Files of
// other packages of the project, above the code folder, keep their path.
func ownFile(file, codeDir string) (string, bool) {
	if strings.HasPrefix(file, "file://") {
		u, err := url.Parse(file)
		if err != nil {
			return "", false
		}
		file = filepath.FromSlash(u.Path)
	}
	slash := filepath.ToSlash(file)
	if strings.Contains(slash, "/node_modules/") || strings.Contains(slash, "/site-packages/") || strings.Contains(slash, "/cleat-lambda-") {
		return "", false
	}
	rel, err := filepath.Rel(codeDir, file)
	if err != nil || strings.HasPrefix(rel, "..") {
		if real, linkErr := filepath.EvalSymlinks(codeDir); linkErr == nil && real != codeDir {
			return ownFile(file, real)
		}
		return "", false
	}
	return filepath.ToSlash(rel), true
}

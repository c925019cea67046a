package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Scenario is one file.
type Scenario struct {
	Name  string // the file's path below the folder of scenarios, without .txt: "handshake/refused"
	File  string // as it is to be named in messages
	Title string
	// Spec names the sections of the specification that are shown, such as "data-plane 2".
	Spec string
	// Differs is the reason why Cleat does not do as AWS does here; empty: it does the same.
	Differs string
	// Needs are what a target must be capable of beyond serving the API, sorted.
	Needs []Need
	// APIs are the API's definitions in cleat.yaml's form, by the name of their section. APIMain is deployed first;
	// a script's "deploy" names others.
	APIs     map[string]Text
	Backends []Backend
	Steps    []Step
}

// APIMain is the section of the definition that is deployed first.
const APIMain = "api"

// Text is text with the line that it begins on.
type Text struct {
	Line int
	Text string
}

// Need is a capability that not every target has.
type Need string

// The needs. All but NeedCleat follow from what a scenario does; that one it states itself.
const (
	NeedLimits Need = "limits" // the API sets limits, which AWS has fixed
	NeedDeploy Need = "deploy" // the script deploys again
	NeedInvoke Need = "invoke" // the Lambda Invoke API itself misbehaves
	NeedHost   Need = "host"   // a host name of the client's own making
	NeedCleat  Need = "cleat"  // what only Cleat has
	NeedConfig Need = "config" // users, keys or other settings of the gateway that are not part of the API
)

// Explain says what a target lacks that does not have a need.
func (n Need) Explain() string {
	switch n {
	case NeedCleat:
	case NeedLimits:
		return "its limits cannot be set"
	case NeedDeploy:
		return "definitions cannot be changed while the script runs"
	case NeedInvoke:
		return "the Lambda Invoke API cannot be made to fail"
	case NeedHost:
		return "it answers its own host names only"
	case NeedConfig:
		return "its users and keys are not the scenario's"
	}
	return "it shows what only Cleat has"
}

// Backend is what one function or one path of the HTTP backend answers.
type Backend struct {
	Line     int
	Function string   // or
	Path     string   // as in "http /connect"
	Answers  []Answer // one for each call; the last one is for all that follow
}

// AnswerKind says how a backend answers.
type AnswerKind string

// The kinds of answers.
const (
	AnswerReturn  AnswerKind = "return"  // a function's result
	AnswerError   AnswerKind = "error"   // a function's failure: Text is the payload
	AnswerRefuse  AnswerKind = "refuse"  // the Invoke API's refusal: Status and Text, its error type
	AnswerStatus  AnswerKind = "answer"  // an HTTP backend's answer: Status, Headers, Body
	AnswerHang    AnswerKind = "hang"    // nothing until the scenario ends
	AnswerReset   AnswerKind = "reset"   // the connection is reset
	AnswerRaw     AnswerKind = "raw"     // Text goes out as it is, and the connection is closed
	AnswerEndless AnswerKind = "endless" // a body without an end, in pieces of Text
)

// Answer is one answer of a backend.
type Answer struct {
	Line    int
	Kind    AnswerKind
	Wait    time.Duration // before it
	Hold    string        // wait for the script's "release" of this name
	Status  int
	Text    string // placeholders and <fill> are still in it
	Headers []Field
	Body    string
	// Bytes tells that escapes of Text or Body have been read: it is not to be expanded.
	Bytes bool
}

// Field is a header line.
type Field struct{ Name, Value string }

// Step is one line of a script with the indented lines below it.
type Step struct {
	Line   int
	Client string // "client" unless the line names one
	Verb   string
	Arg    string
	Lines  []Line
	// End is the number of the line behind the step's last one.
	End int
}

// Line is an indented line of a step.
type Line struct {
	Line int
	// Mark is ">" for what a client sends, "<" for what it must get, "" elsewhere.
	Mark string
	// Word is the kind of line: "header", "no", "body", "bytes", "empty", "status", "has", "lacks", "text", "later", "only",
	// "query", "method".
	Word string
	Name string // of a header, a parameter or a JSON path
	Text string
}

// DefaultClient is the client of lines that name none.
const DefaultClient = "client"

// Fault is something wrong in a scenario.
type Fault struct { //nolint:errname // a fault of a scenario, as cfn.Fault is one of a template
	File    string
	Line    int
	Message string
}

func (f Fault) Error() string { return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Message) }

// Area is the folder that a scenario lies in.
func (s *Scenario) Area() string {
	area, _, _ := strings.Cut(s.Name, "/")
	return area
}

// Watched are the functions and HTTP paths whose calls the script reads. When it ends, it must have read all of them.
func (s *Scenario) Watched() []string {
	var out []string
	for i := range s.Steps {
		if st := &s.Steps[i]; (st.Verb == "event" || st.Verb == "request") && !slices.Contains(out, st.Arg) {
			out = append(out, st.Arg)
		}
	}
	return out
}

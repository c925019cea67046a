package lambda

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
)

const (
	unhandled = "Unhandled" // the only X-Amz-Function-Error of today's runtimes (spec lambda §1)
)

var errStopped = &apigw.Error{Kind: apigw.KindInternal, Err: errors.New("the pool of local functions has ended")}

// job is one invocation on its way through a worker.
type job struct {
	requestID string
	payload   []byte
	context   []byte // of the client; may be nil
	trace     string
	arn       string
	timeout   time.Duration
	deadline  time.Time    // set when a worker takes the job
	answers   chan outcome // buffered, one
	log       *tail        // nil unless asked for
	flushed   chan struct{}
	marks     int // streams that are known to be flushed; guarded by the worker's mu
	// settled decides who tells of the outcome: whoever sets it first. Set by the caller that leaves without it (from
	// the start, where nobody waits), or by the one who delivers.
	settled atomic.Bool
}

// outcome is how an invocation ended.
type outcome struct {
	payload []byte
	failed  bool
	cause   string // in words, where failed
}

// Invoke implements awsapi.Invoker. The function goes on when ctx ends first, as on AWS; only the wait for a free
// worker ends with it. A function that could not be started or that failed is a result, not an error. The payload of an
// Event invocation must not be changed afterwards.
func (p *Pool) Invoke(ctx context.Context, call awsapi.Invocation) (awsapi.InvocationResult, error) {
	name, err := awsapi.ParseFunctionName(call.Function)
	if err != nil {
		return awsapi.InvocationResult{}, &apigw.Error{Kind: apigw.KindFunctionNotFound, Message: "Function not found: " + call.Function, Err: err}
	}
	f := p.lookup(name)
	if f == nil {
		arn := awsapi.FunctionARN(p.o.Region, p.o.Account, name.Name)
		if name.Qualifier != "" {
			arn += ":" + name.Qualifier
		}
		return awsapi.InvocationResult{}, notFound(arn)
	}
	def := f.definition()
	j, err := p.newJob(call, def, name.Qualifier)
	if err != nil {
		return awsapi.InvocationResult{}, err
	}
	result := awsapi.InvocationResult{RequestID: j.requestID, ExecutedVersion: versionOf(def)}
	if call.Type == awsapi.InvokeDryRun {
		return result, nil
	}
	if !p.begin() {
		return awsapi.InvocationResult{}, errStopped
	}
	if call.Type == awsapi.InvokeEvent {
		go p.runDetached(context.WithoutCancel(ctx), f, j)
		return result, nil
	}
	w, fresh, err := f.acquire(ctx, len(j.payload), false)
	if err != nil {
		defer p.wg.Done()
		o, ok := faultOutcome(err, j)
		if !ok {
			return awsapi.InvocationResult{}, err
		}
		f.logOutcome(j, o)
		return withOutcome(result, j, o), nil
	}
	done := make(chan outcome, 1)
	go func() {
		defer p.wg.Done()
		f.execute(w, fresh, j, done)
	}()
	select {
	case o := <-done:
		return withOutcome(result, j, o), nil
	case <-ctx.Done():
		if !j.settled.CompareAndSwap(false, true) {
			return withOutcome(result, j, <-done), nil // it came at the same moment
		}
		return awsapi.InvocationResult{}, fmt.Errorf("invoke function %s: %w", f.name, context.Cause(ctx))
	}
}

// versionOf is the version of a definition as Lambda writes it.
func versionOf(def apigw.Function) string {
	if def.Version == "" {
		return apigw.VersionLatest
	}
	return def.Version
}

// runDetached runs an asynchronous invocation; whoever asked for it has gone. It is not retried.
func (p *Pool) runDetached(ctx context.Context, f *function, j *job) {
	defer p.wg.Done()
	j.settled.Store(true)
	w, fresh, err := f.acquire(ctx, len(j.payload), true)
	if err != nil {
		if o, ok := faultOutcome(err, j); ok {
			f.logOutcome(j, o)
			return
		}
		p.log.Warn("asynchronous invocation was not run", "function", f.name, "request_id", j.requestID, "err", err)
		return
	}
	f.execute(w, fresh, j, make(chan outcome, 1))
}

// logOutcome writes the one line that a failed invocation is worth: a warning where nobody waits for the outcome. Who does
// wait is given the cause, to tell of it in its own words.
func (f *function) logOutcome(j *job, o outcome) {
	log := f.pool.log.Warn
	if j.settled.CompareAndSwap(false, true) {
		log = f.pool.log.Debug
	}
	if o.failed {
		log("function failed", "function", f.name, "request_id", j.requestID, "cause", o.cause)
	}
}

func withOutcome(r awsapi.InvocationResult, j *job, o outcome) awsapi.InvocationResult {
	r.Payload = o.payload
	if o.failed {
		r.FunctionError, r.Cause = unhandled, o.cause
	}
	if j.log != nil {
		r.LogTail = j.log.bytes()
	}
	return r
}

func (p *Pool) newJob(call awsapi.Invocation, def apigw.Function, qualifier string) (*job, error) {
	limit := apigw.QuotaLambdaPayload
	if call.Type == awsapi.InvokeEvent {
		limit = maxEventPayload
	}
	if len(call.Payload) > limit {
		return nil, &apigw.Error{Kind: apigw.KindPayloadTooLarge, Message: fmt.Sprintf("%d byte payload is too large for the %s invocation type (limit %d bytes)", len(call.Payload), call.Type, limit)}
	}
	j := &job{
		requestID: apigw.NewUUID(),
		payload:   call.Payload,
		context:   call.ClientContext,
		trace:     call.TraceID,
		arn:       def.ARN,
		timeout:   def.Timeout,
		answers:   make(chan outcome, 1),
		flushed:   make(chan struct{}),
	}
	if len(j.payload) == 0 {
		j.payload = []byte("{}")
	} else if !json.Valid(j.payload) {
		return nil, &apigw.Error{Kind: apigw.KindInvalidContent, Message: "Could not parse request body into json: " + jsonFault(j.payload)}
	}
	if j.arn == "" {
		j.arn = awsapi.FunctionARN(p.o.Region, p.o.Account, def.Name)
	}
	if qualifier != "" {
		j.arn += ":" + qualifier
	}
	if j.timeout <= 0 {
		j.timeout = apigw.QuotaFunctionTimeout
	}
	if j.trace == "" {
		j.trace = newTraceID(time.Now())
	}
	if call.LogTail {
		j.log = &tail{}
	}
	return j, nil
}

func jsonFault(b []byte) string {
	var v json.RawMessage
	if err := json.Unmarshal(b, &v); err != nil {
		return err.Error()
	}
	return "invalid JSON"
}

// newTraceID is an X-Ray trace header whose trace is not sampled (spec lambda §1).
func newTraceID(now time.Time) string {
	var b [20]byte
	rand.Read(b[:])
	return "Root=1-" + strconv.FormatInt(now.Unix(), 16) + "-" + hex.EncodeToString(b[:12]) +
		";Parent=" + hex.EncodeToString(b[12:]) + ";Sampled=0"
}

func notFound(arn string) error {
	return &apigw.Error{Kind: apigw.KindFunctionNotFound, Message: "Function not found: " + arn}
}

// execute runs a job on a worker that the caller has acquired, and gives the worker back. The outcome is sent to done
// as soon as it is known, which is before the worker is ready again.
func (f *function) execute(w *worker, fresh bool, j *job, done chan<- outcome) {
	if fresh {
		if o, ok := w.initialize(j); !ok {
			f.logOutcome(j, o)
			done <- o
			<-w.exited
			return
		}
	}
	started := time.Now()
	o := w.run(j)
	f.logOutcome(j, o)
	f.settle()
	defer f.settled()
	if j.log != nil {
		w.report(j, time.Since(started))
		done <- o
	} else {
		done <- o
		w.report(j, time.Since(started))
	}
	// Only the request for another event shows that the worker is free. One that does something else for longer than
	// an invocation may take will not come back.
	t := time.NewTimer(max(j.timeout, time.Second))
	defer t.Stop()
	select {
	case <-w.parked:
		f.release(w)
	case <-w.exited:
	case <-t.C:
		w.kill(causeStuck)
		<-w.exited
	}
}

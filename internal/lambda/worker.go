package lambda

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"cleat/internal/apigw"
)

// killCause says why the pool killed a worker.
type killCause string

const (
	causeTimeout killCause = "timed out"
	causeRetired killCause = "code or definition changed"
	causeIdle    killCause = "idle"
	causeStop    killCause = "the pool ends"
	causeStuck   killCause = "did not ask for another event"
	causeInit    killCause = "did not start"
)

// worker is one process that runs a function: a sandbox of its own, with one invocation at a time.
//
// Whoever acquired the worker drives it: initialize, run, wait for parked. The Runtime API's requests come in on
// goroutines of the HTTP server and meet the driver in the channels.
type worker struct {
	function   *function
	def        apigw.Function
	generation int
	plan       *plan
	secret     string
	cmd        *exec.Cmd
	group      processGroup
	stdout     *stream
	stderr     *stream
	started    time.Time
	start      *job // stands for the start, as far as output goes

	// The driver's.
	peak     int // MB of memory, when it was measured last
	measured time.Time

	jobs      chan *job     // buffered, one; never closed
	parked    chan struct{} // buffered, one: the worker asks for an event; never closed
	initError chan outcome  // buffered, one; never closed
	exited    chan struct{} // closed when the process has ended and its output is read

	mu      sync.Mutex
	current *job      // being run, until it is answered
	awaited *job      // whose output has not been read to its end
	last    string    // request ID that output belongs to
	tail    *tail     // where that output is kept too; may be nil
	killed  killCause // the first one
	channel *channel  // nil unless the worker asked for it
	ending  bool      // the process has ended: it gets no channel any more

	// Guarded by function.mu.
	idleSince time.Time
	dead      bool
}

// start makes a worker of the given definition. The caller has counted it already.
func (f *function) start(def apigw.Function, generation int, pl *plan) (*worker, error) {
	w, err := f.launch(def, generation, pl)
	if err != nil {
		f.ended(nil)
		return nil, err
	}
	return w, nil
}

// planFor makes the plan of a generation, once however many workers start at the same time. A failure is not kept: what
// was missing may be there the next time.
func (f *function) planFor(def apigw.Function, generation int) (*plan, error) {
	f.planning.Lock()
	defer f.planning.Unlock()
	f.mu.Lock()
	pl := f.plan
	if f.generation != generation {
		pl = nil
	}
	f.mu.Unlock()
	if pl != nil {
		return pl, nil
	}
	pl, err := f.pool.makePlan(def)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.generation == generation {
		f.plan = pl
	}
	if pl.bundle != "" {
		f.bundles = append(f.bundles, pl.bundle)
	}
	// Workers that start may still read the newest ones.
	for len(f.bundles) > keepBundles {
		if err := os.Remove(f.bundles[0]); err != nil {
			f.pool.log.Debug("remove an old bundle", "function", f.name, "err", err)
		}
		f.bundles = f.bundles[1:]
	}
	return pl, nil
}

func (f *function) launch(def apigw.Function, generation int, pl *plan) (*worker, error) {
	p := f.pool
	if pl == nil {
		var err error
		if pl, err = f.planFor(def, generation); err != nil {
			return nil, err
		}
	}
	w := &worker{
		function:   f,
		def:        def,
		generation: generation,
		plan:       pl,
		secret:     randomHex(16),
		started:    time.Now(),
		jobs:       make(chan *job, 1),
		parked:     make(chan struct{}, 1),
		initError:  make(chan outcome, 1),
		exited:     make(chan struct{}),
	}
	w.start = &job{requestID: markInit, flushed: make(chan struct{})}
	w.awaited = w.start
	w.stdout, w.stderr = newStream(w, StreamStdout), newStream(w, StreamStderr)
	//nolint:noctx,gosec // the worker outlives the call that starts it, its owner kills it; running the user's program is the point
	cmd := exec.Command(pl.path, pl.args...)
	cmd.Dir = def.CodeDir
	cmd.Env = p.workerEnvironment(def, pl, p.listener.Addr().String()+"/"+w.secret)
	w.cmd = cmd
	if err := w.openOutput(); err != nil {
		return nil, fmt.Errorf("start function %s: %w", def.Name, err)
	}

	if !p.register(w) { // first, since the process may call at once
		w.closeOutput()
		return nil, errStopped
	}
	if err := w.spawn(); err != nil {
		w.closeOutput()
		p.unregister(w)
		p.wg.Done()
		return nil, &fault{kind: "Runtime.InvalidEntrypoint", message: "start the runtime: " + err.Error(), cause: fmt.Sprintf("%s: start %s: %v", place(def), pl.path, err)}
	}
	w.readOutput()
	go w.wait()
	return w, nil
}

// register makes a worker known to the Runtime API and to Run; it reports false when the pool has ended.
func (p *Pool) register(w *worker) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing {
		return false
	}
	p.workers[w.secret] = w
	p.wg.Add(1)
	return true
}

func (p *Pool) unregister(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.workers, w.secret)
}

// spawn starts the process.
func (w *worker) spawn() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.group.start(w.cmd); err != nil {
		return err
	}
	if w.killed != "" {
		w.group.kill(w.cmd)
	}
	return nil
}

// wait owns the process's end.
func (w *worker) wait() {
	p := w.function.pool
	defer p.wg.Done()
	err := w.group.wait(w.cmd)
	w.endOutput()
	w.endChannel()
	w.stdout.close()
	w.stderr.close()
	p.unregister(w)
	w.mu.Lock()
	killed, busy := w.killed, w.current != nil
	w.mu.Unlock()
	close(w.exited)
	w.function.ended(w)
	if killed == "" && !busy {
		p.log.Debug("worker ended by itself", "function", w.def.Name, "err", err)
	} else if killed != "" {
		p.log.Debug("worker ended", "function", w.def.Name, "cause", string(killed))
	}
}

// kill ends the process and all that it started; exited tells when it is gone. It may be called at any time.
func (w *worker) kill(cause killCause) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.killed == "" {
		w.killed = cause
	}
	if w.cmd.Process != nil { // else spawn sees to it
		w.group.kill(w.cmd)
	}
}

// initialize waits until a fresh worker asks for its first event. Time beyond InitTimeout counts as the job's own. It
// reports false, with the job's outcome, when the worker cannot be used.
func (w *worker) initialize(j *job) (outcome, bool) {
	allowance := w.function.pool.o.InitTimeout
	t := time.NewTimer(allowance)
	defer t.Stop()
	late := false
	for {
		select {
		case <-w.parked:
			if late {
				j.timeout = max(j.timeout-time.Since(w.started)+allowance, time.Millisecond)
			}
			w.awaitOutput(w.start)
			return outcome{}, true
		case o := <-w.initError:
			w.endAfterInitError()
			return o, false
		case <-w.exited:
			select {
			case o := <-w.initError:
				return o, false
			default:
				return w.exitOutcome(j), false
			}
		case <-t.C:
			if !late {
				late = true
				t.Reset(j.timeout)
				continue
			}
			w.kill(causeInit)
			<-w.exited
			return w.timeoutOutcome(j), false
		}
	}
}

// endAfterInitError lets a worker that has reported its failed start end by itself, so that its last words are read.
func (w *worker) endAfterInitError() {
	t := time.NewTimer(exitGrace)
	defer t.Stop()
	select {
	case <-w.exited:
	case <-t.C:
		w.kill(causeInit)
		<-w.exited
	}
}

// run hands a parked worker its job and waits for the outcome.
func (w *worker) run(j *job) outcome {
	j.deadline = time.Now().Add(j.timeout)
	w.mu.Lock()
	w.current, w.awaited, w.last, w.tail = j, j, j.requestID, j.log
	c := w.channel
	w.mu.Unlock()
	w.platform(j, "START RequestId: "+j.requestID+" Version: "+versionOf(w.def))
	if c != nil {
		c.send(j)
	} else {
		w.jobs <- j
	}
	t := time.NewTimer(j.timeout)
	defer t.Stop()
	select {
	case o := <-j.answers:
		w.awaitOutput(j)
		return o
	case <-w.exited:
	case <-t.C:
		w.kill(causeTimeout)
		<-w.exited
	}
	select {
	case o := <-j.answers: // it came first after all
		return o
	default:
	}
	w.mu.Lock()
	killed := w.killed
	w.current = nil
	w.mu.Unlock()
	if killed == causeTimeout {
		return w.timeoutOutcome(j)
	}
	return w.exitOutcome(j)
}

// park notes that the worker asks for an event.
func (w *worker) park() {
	select {
	case w.parked <- struct{}{}:
	default: // asked before and not heard yet
	}
}

// failStart notes that the worker cannot start; it reports false when that was reported already.
func (w *worker) failStart(o outcome) bool {
	select {
	case w.initError <- o:
		return true
	default:
		return false
	}
}

// answer ends the job with the given request ID; it reports false when that is not the one being run, or has been
// answered.
func (w *worker) answer(requestID string, o outcome) bool {
	w.mu.Lock()
	j := w.current
	if j == nil || j.requestID != requestID {
		w.mu.Unlock()
		return false
	}
	w.current = nil
	w.mu.Unlock()
	j.answers <- o
	return true
}

// awaitOutput waits, not for long, until what the invocation wrote has been read.
func (w *worker) awaitOutput(j *job) {
	select {
	case <-j.flushed:
		return
	default:
	}
	grace := flushGrace
	if !w.plan.marks {
		if j.log == nil {
			return
		}
		grace /= 10
	}
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-j.flushed:
	case <-w.exited:
	case <-t.C:
	}
}

// report emits the lines with which the platform closes an invocation.
func (w *worker) report(j *job, took time.Duration) {
	w.platform(j, "END RequestId: "+j.requestID)
	ms := float64(took.Microseconds()) / 1000
	text := "REPORT RequestId: " + j.requestID +
		"\tDuration: " + strconv.FormatFloat(ms, 'f', 2, 64) + " ms" +
		"\tBilled Duration: " + strconv.FormatInt(int64(ms)+1, 10) + " ms" +
		"\tMemory Size: " + strconv.Itoa(memorySize(w.def)) + " MB"
	if time.Since(w.measured) >= memoryEvery {
		w.peak, w.measured = peakMemory(w.cmd.Process.Pid), time.Now()
	}
	if mb := w.peak; mb > 0 {
		text += "\tMax Memory Used: " + strconv.Itoa(mb) + " MB"
	}
	w.platform(j, text)
}

func (w *worker) platform(j *job, text string) {
	if j.log != nil {
		j.log.add(text)
	}
	w.function.pool.o.Output(Line{Function: w.def.Name, RequestID: j.requestID, Stream: StreamPlatform, Text: text, Time: time.Now()})
}

func memorySize(def apigw.Function) int {
	if def.MemorySize > 0 {
		return def.MemorySize
	}
	return apigw.QuotaFunctionMemory
}

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

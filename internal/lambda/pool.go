package lambda

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
)

// Bounds that no option sets.
const (
	maxEventPayload = 1 << 20                // of an asynchronous invocation (spec lambda §1)
	maxResponse     = 6291556                // bytes of a function's answer (spec lambda §2)
	maxErrorBody    = 256 << 10              // bytes of an error report
	maxDiscard      = 64 << 20               // bytes of an answer beyond what is used
	maxWaiting      = 100_000                // invocations of one function that wait for a worker
	maxWaitingBytes = 256 << 20              // of the payloads of those, all together
	settleGrace     = 20 * time.Millisecond  // a worker that has just answered is waited for so long before another is started
	flushGrace      = 100 * time.Millisecond // the output of an invocation may lag its answer by so much
	outputGrace     = time.Second            // an ended process's pipes are read for so long, if others hold them
	memoryEvery     = 100 * time.Millisecond // a worker's memory is measured no more often than that: to ask costs more than a call
	keepBundles     = 4                      // of one function; older ones are removed
	exitGrace       = 2 * time.Second        // a worker may take so long to end by itself after it reported a failed start
)

// Options are the settings of a Pool. The zero value works, with no output, no capture and an empty environment.
type Options struct {
	// Log gets a warning for each failed invocation whose caller does not get the cause (one that is asynchronous, or
	// whose caller has gone) and for each worker that is lost; the other failures at level Debug. Nil discards.
	Log *slog.Logger
	// Output gets every line that functions write and the platform's START, END and REPORT lines. It is called from
	// many goroutines and must not block for long: the function waits. Nil discards.
	Output func(Line)
	// Region and Account are where the functions pretend to run; empty means awsapi's defaults.
	Region, Account string
	// Env is the environment that workers start from, as os.Environ returns it. The package reads no other.
	Env []string
	// ExtraEnv is put over Env, and under each function's own variables: AWS_ENDPOINT_URL_DYNAMODB and the like.
	ExtraEnv map[string]string
	// Capture leads calls of API Gateway's endpoints to Cleat. The zero value leaves them alone.
	Capture Capture
	// MaxWorkers bounds the workers of one function; zero means 10. A function's own Concurrency comes first.
	MaxWorkers int
	// IdleAfter is how long a worker may go without a call before it is ended; zero means five minutes.
	IdleAfter time.Duration
	// InitTimeout is how long a worker may take to start before the time counts as the invocation's own; zero means
	// ten seconds, as on AWS (spec lambda §3).
	InitTimeout time.Duration
	// TempDir is the folder in which the pool makes its own, removed again by Run or, where that was not to be,
	// by a later New; empty means the system's.
	TempDir string
	// NodePath and PythonPath are the interpreters; empty means the PATH of Env, for Python after the project's own
	// virtual environment.
	NodePath, PythonPath string
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Output == nil {
		o.Output = func(Line) {}
	}
	if o.Region == "" {
		o.Region = awsapi.DefaultRegion
	}
	if o.Account == "" {
		o.Account = awsapi.DefaultAccount
	}
	if o.MaxWorkers <= 0 {
		o.MaxWorkers = 10
	}
	if o.IdleAfter <= 0 {
		o.IdleAfter = 5 * time.Minute
	}
	if o.InitTimeout <= 0 {
		o.InitTimeout = 10 * time.Second
	}
	return o
}

// Pool runs functions. Its methods are safe for concurrent use. New makes one; Run must be called, since it serves the
// Runtime API that workers speak, and it cleans up.
type Pool struct {
	o        Options
	log      *slog.Logger
	dir      string   // everything the pool writes
	lock     *os.File // in dir; see leftover.go
	base     environment
	capture  *capturer
	listener net.Listener
	local    net.Listener  // of channelSocket; nil where there is none
	stop     chan struct{} // closed when the pool ends
	queue    int           // maxWaitingBytes, but in tests
	wg       sync.WaitGroup

	credentials atomic.Pointer[awsapi.Credentials] // nil or zero: the functions find their own

	mu        sync.Mutex // taken before a function's
	closing   bool
	running   bool
	functions map[string]*function           // by qualified name
	aliases   map[string]apigw.FunctionAlias // by the name of the function, a colon and their own
	workers   map[string]*worker             // by secret
}

var _ awsapi.Invoker = (*Pool)(nil)

// New returns a pool without functions. It writes the runtimes' own files to a fresh folder and opens a loopback port
// for the Runtime API; Run releases both, so that a Pool that is not run must not be made. It also removes such folders that
// processes of this user left in Options.TempDir that were killed.
func New(o Options) (*Pool, error) {
	o = o.withDefaults()
	sweep(o.TempDir, o.Log)
	dir, lock, err := makeDir(o.TempDir)
	if err != nil {
		return nil, fmt.Errorf("make the folder of local functions: %w", err)
	}
	p := &Pool{
		o:         o,
		log:       o.Log,
		dir:       dir,
		lock:      lock,
		stop:      make(chan struct{}),
		queue:     maxWaitingBytes,
		functions: map[string]*function{},
		workers:   map[string]*worker{},
	}
	if err := p.prepare(); err != nil {
		return nil, errors.Join(err, removeDir(dir, lock))
	}
	return p, nil
}

// Dir is the pool's own folder, which Run removes at its end: what is put there goes with it, and if this process is
// killed with the next.
func (p *Pool) Dir() string { return p.dir }

func (p *Pool) prepare() error {
	if err := writeRuntimes(p.dir); err != nil {
		return err
	}
	p.base = newBaseEnvironment(p.o, p.dir)
	var err error
	if p.capture, err = newCapturer(p.o.Capture, p.dir, p.log); err != nil {
		return err
	}
	var lc net.ListenConfig
	p.listener, err = lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for local functions: %w", err)
	}
	if runtime.GOOS != "windows" { // whose Node takes the path for that of a pipe
		if p.local, err = lc.Listen(context.Background(), "unix", filepath.Join(p.dir, channelSocket)); err != nil {
			p.local = nil
			p.log.Debug("local functions are reached by TCP", "err", err)
		}
	}
	return nil
}

// Run serves the Runtime API and ends idle workers until ctx ends; then it kills all workers, waits for them and for
// every invocation, and removes the pool's files. Invocations that still run fail. It may be called once.
func (p *Pool) Run(ctx context.Context) error {
	p.mu.Lock()
	again := p.running
	p.running = true
	p.mu.Unlock()
	if again {
		return errors.New("local functions: Run was called twice")
	}
	srv := &http.Server{
		Handler:           http.HandlerFunc(p.serveRuntimeAPI),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 2)
	listeners := []net.Listener{p.listener}
	if p.local != nil {
		listeners = append(listeners, p.local)
	}
	for _, l := range listeners {
		go func() { served <- srv.Serve(l) }()
	}

	var failed error
	tick := time.NewTicker(max(p.o.IdleAfter/4, 10*time.Millisecond))
	defer tick.Stop()
	for done := false; !done; {
		select {
		case <-ctx.Done():
			done = true
		case err := <-served:
			served <- err
			failed = fmt.Errorf("serve local functions: %w", err)
			done = true
		case <-tick.C:
			p.endIdle(time.Now().Add(-p.o.IdleAfter))
		}
	}

	// 1. No new work. 2. Kill workers, which fails what they run. 3. Wait for those who wait on them. 4. The server,
	// which nobody calls any more. 5. The files.
	p.mu.Lock()
	p.closing = true
	close(p.stop)
	for _, w := range p.workers {
		w.kill(causeStop)
	}
	p.mu.Unlock()
	p.wg.Wait()
	if err := srv.Close(); err != nil {
		failed = errors.Join(failed, fmt.Errorf("stop serving local functions: %w", err))
	}
	for range listeners {
		if err := <-served; err != nil && !errors.Is(err, http.ErrServerClosed) {
			p.log.Debug("runtime API ended", "err", err)
		}
	}
	if err := removeDir(p.dir, p.lock); err != nil {
		failed = errors.Join(failed, fmt.Errorf("remove the files of local functions: %w", err))
	}
	return failed
}

// begin counts one more user of the pool; it reports false when the pool has ended. p.wg.Done ends the use.
func (p *Pool) begin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing {
		return false
	}
	p.wg.Add(1)
	return true
}

// Swap makes functions the set of functions and published versions that Invoke knows, by name and qualifier, and aliases
// the names that versions have beside their numbers. Workers of a function that is new in its definition, or gone, end once
// they have finished what they run; other workers stay.
func (p *Pool) Swap(functions []apigw.Function, aliases []apigw.FunctionAlias) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := make(map[string]*function, len(functions))
	for _, def := range functions {
		name := def.QualifiedName()
		f := p.functions[name]
		if f == nil {
			f = &function{pool: p, name: name}
		}
		f.redefine(def)
		next[name] = f
		p.noteReserved(def)
	}
	for name, f := range p.functions {
		if next[name] == nil {
			f.remove()
		}
	}
	p.functions = next
	p.aliases = make(map[string]apigw.FunctionAlias, len(aliases))
	for _, a := range aliases {
		p.aliases[a.Function+":"+a.Name] = a
	}
}

// noteReserved is for whoever wonders; the project's reader warns.
func (p *Pool) noteReserved(def apigw.Function) {
	for _, name := range slices.Sorted(maps.Keys(def.Environment)) {
		if apigw.ReservedVariable(name) {
			p.log.Debug("environment variable is reserved by Lambda and not set", "function", def.Name, "name", name, "place", def.Place)
		}
	}
}

// Refresh tells that files have changed on disk: absolute paths, or nil for all. Functions whose code folder or bundle
// holds one of them get new workers from the next call on; what runs is left to finish.
func (p *Pool) Refresh(changed []string) {
	changed = slices.DeleteFunc(slices.Clone(changed), func(path string) bool {
		return filepath.Base(filepath.Dir(path)) == "__pycache__"
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.functions {
		f.refresh(changed)
	}
}

func (p *Pool) endIdle(before time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.functions {
		f.endIdle(before)
	}
}

// lookup returns the function that a name and a qualifier stand for, nil when there is none (spec lambda §1). An alias of
// two versions stands for one or the other, by their weights.
//
// Projects define no versions here, whatever their templates publish on AWS: their functions answer to every qualifier.
func (p *Pool) lookup(name awsapi.FunctionName) *function {
	p.mu.Lock()
	defer p.mu.Unlock()
	latest := p.functions[name.Name]
	version := name.Qualifier
	if a, ok := p.aliases[name.Name+":"+version]; ok {
		version = pick(a)
	}
	if version == "" || version == apigw.VersionLatest {
		return latest
	}
	if f := p.functions[name.Name+":"+version]; f != nil {
		return f
	}
	if latest != nil && latest.definition().Place != "" {
		return latest
	}
	return nil
}

// pick returns the version that one call by an alias goes to.
func pick(a apigw.FunctionAlias) string {
	share := rand.Float64() //nolint:gosec // G404: it shares out calls and keeps no secret
	for version, weight := range a.Weights {
		if share < weight {
			return version
		}
		share -= weight
	}
	return a.Version
}

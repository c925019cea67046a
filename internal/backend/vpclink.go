package backend

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cleat/internal/apigw"
)

// Link is a VPC link by configuration: where AWS has a network load balancer, it has a list of targets.
type Link struct {
	Name string // what an integration's connectionId says
	// Aliases are further names of it. Who changes them leaves what is known of the targets.
	Aliases []string
	// Targets are addresses, host:port, which are spoken to in the scheme of the integration's URL; or URLs of a scheme
	// and an address alone, http://10.0.0.7:8080, whose scheme takes its place, as where a load balancer ends TLS.
	Targets []string
	Check   *HealthCheck // nil: a target's health shows in calls alone
}

// HealthCheck says how a link's targets are looked after. The zero value is fit for use.
type HealthCheck struct {
	Path      string        // of a GET that must answer 200 to 399; empty: that a connection can be made is enough
	Interval  time.Duration // zero: 10 s
	Timeout   time.Duration // of one check; zero: 2 s
	Healthy   int           // checks in a row that bring a target back; zero: 2
	Unhealthy int           // failed checks in a row, or calls, that take it out; zero: 2
}

const (
	linkConnectTimeout = 2 * time.Second
	coolDown           = 10 * time.Second // until a target without checks that could not be connected to is tried again
	maxLinkTargets     = 64
)

func (c HealthCheck) withDefaults() HealthCheck {
	c.Interval, c.Timeout = or(c.Interval, 10*time.Second), or(c.Timeout, 2*time.Second)
	c.Healthy, c.Unhealthy = or(c.Healthy, 2), or(c.Unhealthy, 2)
	return c
}

// Links is an HTTP with VPC links: a request that names one goes to one of the link's targets, any other goes out
// directly. Healthy targets are used in turn. A call that certainly reached no target goes on to the next one; one that
// a target may have read is made again only if its method is safe (RFC 9110 §9.2.1). While no target is healthy all are
// tried. It is safe for concurrent use; Close it to end its checks and to let go of its connections.
type Links struct {
	direct  *HTTP
	options HTTPOptions
	mu      sync.Mutex                       // serialises Swap and Close
	links   atomic.Pointer[map[string]*link] // never nil
}

// NewLinks returns Links without links. Requests without one go to direct, which Close closes too; o is for the
// connections to targets, with 2 s for its zero ConnectTimeout.
func NewLinks(direct *HTTP, o HTTPOptions) *Links {
	o.ConnectTimeout, o.Proxy = or(o.ConnectTimeout, linkConnectTimeout), nil
	l := &Links{direct: direct, options: o}
	l.links.Store(&map[string]*link{})
	return l
}

// Swap replaces the links. Those that did not change keep what is known of their targets; the checks of the others have
// ended when it returns, and calls under way go on. The error names a link or target at fault; nothing changes then.
func (l *Links) Swap(links []Link) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := *l.links.Load()
	next := make(map[string]*link, len(links))
	aliases := map[string]*link{}
	var fresh []*link
	for _, spec := range links {
		names := spec.Aliases
		spec.Aliases = nil
		if have := old[spec.Name]; have != nil && reflect.DeepEqual(have.spec, spec) {
			next[spec.Name] = have
			nameAlso(aliases, have, names)
			continue
		}
		made, err := newLink(spec, l.options)
		if err != nil {
			return fmt.Errorf("VPC link %s: %w", spec.Name, err)
		}
		next[spec.Name] = made
		nameAlso(aliases, made, names)
		fresh = append(fresh, made)
	}
	for _, k := range fresh {
		k.start()
	}
	gone := make(map[*link]bool, len(old))
	for _, k := range old {
		gone[k] = true
	}
	for _, k := range next {
		delete(gone, k)
	}
	for alias, k := range aliases {
		if next[alias] == nil { // a link's own name comes before
			next[alias] = k
		}
	}
	l.links.Store(&next)
	for k := range gone {
		k.close()
	}
	return nil
}

// nameAlso notes the aliases of a link; the first link to claim one has it.
func nameAlso(aliases map[string]*link, k *link, names []string) {
	for _, name := range names {
		if aliases[name] == nil {
			aliases[name] = k
		}
	}
}

// Close ends all checks and closes idle connections, those of direct among them. Calls under way go on.
func (l *Links) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	closed := map[*link]bool{}
	for _, k := range *l.links.Swap(&map[string]*link{}) {
		if !closed[k] {
			k.close()
		}
		closed[k] = true
	}
	l.direct.Close()
}

// Do makes a call as HTTP.Do does, through its link if it names one.
func (l *Links) Do(ctx context.Context, r *Request) (*Response, error) {
	if r.Link == "" {
		return l.direct.Do(ctx, r)
	}
	k := (*l.links.Load())[r.Link]
	if k == nil {
		return nil, noLink(r)
	}
	return k.do(ctx, r)
}

func noLink(r *Request) error {
	return &apigw.Error{Kind: apigw.KindIntegrationConfig, Err: fmt.Errorf("%s: there is no VPC link %q: name it and its targets under vpcLinks in cleat.yaml", describe(r), r.Link)}
}

// link is a Link at work.
type link struct {
	spec    Link
	check   HealthCheck // with defaults, also where nothing is checked
	prober  prober
	targets []*target
	turn    atomic.Uint32
	stop    context.CancelFunc
	done    sync.WaitGroup
}

// target is one target of a link, with connections and health of its own.
type target struct {
	name   string
	scheme string // empty: that of the integration's URL
	addr   string
	http   *HTTP

	mu        sync.Mutex
	down      bool      // guarded by mu
	until     time.Time // guarded by mu; when a target that is down may be tried again; zero: when a check says so
	good, bad int       // guarded by mu; outcomes of checks in a row
	lost      int       // guarded by mu; calls in a row that came to nothing
}

func newLink(spec Link, o HTTPOptions) (*link, error) {
	if len(spec.Targets) == 0 || len(spec.Targets) > maxLinkTargets {
		return nil, fmt.Errorf("it has %d targets; want 1 to %d", len(spec.Targets), maxLinkTargets)
	}
	k := &link{spec: spec, prober: newProber(o.dialer())}
	if spec.Check != nil {
		k.check = *spec.Check
	}
	k.check = k.check.withDefaults()
	for _, name := range spec.Targets {
		t := &target{name: name}
		var err error
		if t.scheme, t.addr, err = ParseLinkTarget(name); err != nil {
			return nil, err
		}
		o.DialAddr = t.addr
		t.http = NewHTTP(o)
		k.targets = append(k.targets, t)
	}
	return k, nil
}

// ParseLinkTarget reads one of a Link's Targets.
func ParseLinkTarget(s string) (scheme, addr string, err error) {
	addr = s
	if before, after, ok := strings.Cut(s, "://"); ok {
		scheme, addr = before, strings.TrimSuffix(after, "/")
	}
	host, port, err := net.SplitHostPort(addr)
	if scheme != "" && scheme != "http" && scheme != "https" || err != nil || host == "" || port == "" || strings.ContainsAny(addr, "/?#@ ") {
		return "", "", fmt.Errorf("target %q: want a host and a port, such as http://127.0.0.1:9001 or 127.0.0.1:9001", s)
	}
	return scheme, addr, nil
}

func (k *link) start() {
	ctx, cancel := context.WithCancel(context.Background())
	k.stop = cancel
	if k.spec.Check != nil {
		k.done.Go(func() { k.watch(ctx) })
	}
}

func (k *link) close() {
	k.stop()
	k.done.Wait()
	for _, t := range k.targets {
		t.http.Close()
	}
}

// do makes one call. Its error tells of every target that was tried.
func (k *link) do(ctx context.Context, r *Request) (*Response, error) {
	var faults []error
	var kind apigw.Kind
	for _, t := range k.order() {
		resp, sent, err := t.http.do(ctx, t.aim(r))
		if err == nil {
			t.succeeded()
			return resp, nil
		}
		kind = apigw.KindOf(err)
		faults = append(faults, fmt.Errorf("target %s: %w", t.name, err))
		if kind == apigw.KindIntegrationConfig || errors.Is(ctx.Err(), context.Canceled) {
			break // no fault of the target's
		}
		t.failed(k, sent)
		if r.over(ctx) || sent && !isSafe(r.Method) {
			break
		}
	}
	return nil, &apigw.Error{Kind: kind, Err: fmt.Errorf("VPC link %s: %w", k.spec.Name, errors.Join(faults...))}
}

// order is the targets as they are to be tried: those that are healthy, from another one each time, then the others.
func (k *link) order() []*target {
	n := uint32(len(k.targets)) //nolint:gosec // at most maxLinkTargets
	first := k.turn.Add(1) % n
	now := time.Now()
	out, ill := make([]*target, 0, n), []*target(nil)
	for i := range n {
		t := k.targets[(first+i)%n]
		if t.healthy(now) {
			out = append(out, t)
		} else {
			ill = append(ill, t)
		}
	}
	return append(out, ill...)
}

// isSafe reports whether a request may be made twice: its method only reads.
func isSafe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// aim is a request as it goes to this target.
func (t *target) aim(r *Request) *Request {
	if t.scheme == "" || r.URL == nil || r.URL.Scheme == t.scheme {
		return r
	}
	aimed, u := *r, *r.URL
	u.Scheme = t.scheme
	aimed.URL = &u
	return &aimed
}

func (t *target) healthy(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.down || !t.until.IsZero() && !now.Before(t.until)
}

// succeeded notes a call that was answered, with whatever status.
func (t *target) succeeded() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lost = 0
	if t.down && !t.until.IsZero() {
		t.down, t.until = false, time.Time{}
	}
}

// failed notes a call that came to nothing. One for which there was not even a connection is enough to take the target
// out.
func (t *target) failed(k *link, sent bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lost++
	if sent && t.lost < k.check.Unhealthy {
		return
	}
	t.down, t.good = true, 0
	if k.spec.Check == nil {
		t.until = time.Now().Add(coolDown)
	}
}

// checked notes the outcome of a check.
func (t *target) checked(ok bool, c HealthCheck) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !ok {
		t.good = 0
		t.bad++
		t.down = t.down || t.bad >= c.Unhealthy
		return
	}
	t.bad = 0
	t.good++
	t.down = t.down && t.good < c.Healthy
}

// watch checks all targets now and at each interval, until ctx ends.
func (k *link) watch(ctx context.Context) {
	ticker := time.NewTicker(k.check.Interval)
	defer ticker.Stop()
	for {
		var round sync.WaitGroup
		for _, t := range k.targets {
			round.Go(func() {
				ok := k.prober.probe(ctx, t, k.check)
				if ctx.Err() == nil {
					t.checked(ok, k.check)
				}
			})
		}
		round.Wait()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// prober makes checks, each over a connection of its own.
type prober struct {
	dial   func(ctx context.Context, network, addr string) (net.Conn, error)
	client *http.Client
}

func newProber(dial func(ctx context.Context, network, addr string) (net.Conn, error)) prober {
	return prober{dial, &http.Client{
		Transport: &http.Transport{
			DialContext: dial, DisableKeepAlives: true, MaxResponseHeaderBytes: maxResponseHeader,
			// A check asks whether the target answers. Its certificate is for the integration's host, and calls verify it.
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (p *prober) probe(ctx context.Context, t *target, c HealthCheck) bool {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	if c.Path == "" {
		conn, err := p.dial(ctx, "tcp", t.addr)
		return err == nil && conn.Close() == nil
	}
	u, err := url.Parse(or(t.scheme, "http") + "://" + t.addr + "/" + strings.TrimPrefix(c.Path, "/"))
	if err != nil {
		return false
	}
	req := (&http.Request{Method: http.MethodGet, URL: u, Header: http.Header{"User-Agent": {"cleat-health-check"}}}).WithContext(ctx)
	resp, err := p.client.Do(req)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil && resp.StatusCode >= 200 && resp.StatusCode < 400
}

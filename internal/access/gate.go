package access

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cleat/internal/authorizer"
	"cleat/internal/awsapi"
	"cleat/internal/config"
	"cleat/internal/controlapi"
	"cleat/internal/credentials"
	"cleat/internal/gateway"
	"cleat/internal/iampolicy"
	"cleat/internal/identity"
	"cleat/internal/listen"
	"cleat/internal/store"
)

// GateOptions are what a Gate needs of its node.
type GateOptions struct {
	Region  string           // empty: awsapi.DefaultRegion
	Account string           // empty: awsapi.DefaultAccount
	SealKey identity.SealKey // zero: one that lasts as long as the process
	// Required tells that signatures are asked for, whether there are users or not.
	Required bool
	Audit    *Audit // nil: nothing is written
	// FunctionEnv is the environment that local functions inherit.
	FunctionEnv []string
	// Apply puts into effect who may sign requests and what local functions sign with (zero: what they find themselves).
	// Its calls come one after the other.
	Apply func(iam *authorizer.IAM, functions awsapi.Credentials)
	Log   *slog.Logger
}

// Settings are what a node's configuration says of who may call it.
type Settings struct {
	Region string
	Users  config.Users
}

// Gate is who may call a node. It is safe for concurrent use; nothing of it has to be closed.
type Gate struct {
	o        GateOptions        // with its defaults
	own      awsapi.Credentials // of this run, for functions that could not call back otherwise
	ids      *identity.Identities
	failures authorizer.Failures
	current  atomic.Pointer[identities] // never nil

	mu       sync.Mutex // serialises loads, so that what was read last is what holds
	settings *Settings  // guarded by mu: of the last load; nil before it
}

// New makes the gate of a node whose users are in s. Where signatures are required, nobody may call before Load.
func New(s *store.Store, o GateOptions) *Gate {
	o.Region, o.Account = cmp.Or(o.Region, awsapi.DefaultRegion), cmp.Or(o.Account, awsapi.DefaultAccount)
	if o.SealKey.IsZero() {
		o.SealKey, _ = identity.NewSealKey()
	}
	g := &Gate{o: o, own: credentials.NewTemporary()}
	g.ids = identity.New(s, identity.Options{
		Region: o.Region, Account: o.Account, Key: o.SealKey, Reserved: g.reserved, Changed: g.reload,
	})
	g.current.Store(&identities{iam: g.Closed(), enforced: o.Required})
	return g
}

// Closed is the IAM before anybody is known.
func (g *Gate) Closed() *authorizer.IAM {
	o := authorizer.IAMOptions{Region: g.o.Region, Account: g.o.Account}
	if g.o.Required {
		o.Management, o.Users = true, &credentials.Set{}
	}
	return authorizer.NewIAM(o)
}

// Identities are the users, keys and roles of the store. What is changed by them is in effect before they return.
func (g *Gate) Identities() *identity.Identities { return g.ids }

// reserved tells of the users of cleat.yaml.
func (g *Gate) reserved(name string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.settings == nil {
		return false
	}
	for _, u := range g.settings.Users.List {
		if strings.EqualFold(u.Name, name) {
			return true
		}
	}
	return false
}

// Load puts into effect who may call by the settings and by the store. After an error everything stays as it was: a secret
// cannot be opened, or users stand in each other's way.
func (g *Gate) Load(ctx context.Context, p Settings) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	stored, err := g.ids.Signers(ctx)
	if err != nil {
		return err
	}
	who, err := g.identitiesOf(p, stored)
	if err != nil {
		return err
	}
	g.settings = &p
	g.current.Store(&who)
	g.o.Apply(who.iam, who.functions)
	return nil
}

// reload puts a change of the users into effect before it is answered.
func (g *Gate) reload(ctx context.Context) {
	g.mu.Lock()
	p := g.settings
	g.mu.Unlock()
	if p == nil {
		return
	}
	if err := g.Load(ctx, *p); err != nil {
		g.o.Log.Error("a change of the users could not be put into effect", "err", err)
	}
}

// Admit lets those call who may, and makes the first of them, the administrator, where there is nobody. Their access key is
// given to show; nil: nobody is made. It comes before any listener accepts, and fails as Load does, and where show fails: the
// next call makes another key then.
func (g *Gate) Admit(ctx context.Context, p Settings, show func(awsapi.Credentials) error) error {
	if err := g.Load(ctx, p); err != nil {
		return err
	}
	if len(p.Users.List) > 0 || show == nil {
		return nil
	}
	made, err := g.ids.FirstAdmin(ctx, show)
	if made && err == nil {
		g.o.Audit.Entry(offlineEntry("FirstAdmin", nodeARN(g.o.Region, g.o.Account))) //nolint:contextcheck // what was done is written down whatever becomes of ctx
		g.o.Log.Info("made the user admin, for nobody could call this node")
	}
	return err
}

// Authorize is the control plane's look at who calls, as controlapi.Options has it. Who is refused by a policy is known all
// the same.
func (g *Gate) Authorize(r *http.Request, body func() ([]byte, error), a controlapi.Access) (controlapi.Caller, error) {
	who := g.current.Load()
	if !who.enforced {
		return controlapi.Caller{}, nil
	}
	signed := gateway.SignedRequest(r)
	signed.Body = body
	user, key, err := who.iam.Authorize(signed, originOf(r), authorizer.Access{Service: a.Service, Action: a.Action, Resource: a.Resource})
	if user == nil {
		return controlapi.Caller{}, err
	}
	return controlapi.Caller{ARN: user.ARN, Account: user.Account, UserID: user.ID, AccessKeyID: key}, err
}

// Audit writes a line of the audit log, as controlapi.Options has it; see Audit.Entry.
func (g *Gate) Audit(e controlapi.Entry) { g.o.Audit.Entry(e) }

// originOf is where a request comes from, as policies and limits see it.
func originOf(r *http.Request) iampolicy.Origin {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = "" // a Unix socket's
	}
	return iampolicy.Origin{Time: time.Now(), SourceIP: host, UserAgent: r.UserAgent(), Referer: r.Referer(), TLS: listen.IsHTTPS(r)}
}

// Collectors show how often somebody failed to authenticate, and whether all changes are on record.
func (g *Gate) Collectors() []prometheus.Collector {
	count := func(name, help string, n func() int64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(n()) })
	}
	return []prometheus.Collector{
		count("cleat_authentication_failures_total", "Requests signed with an unknown access key or a wrong secret.", func() int64 { failed, _ := g.failures.Counts(); return failed }),
		count("cleat_authentication_refusals_total", "Requests refused without a look, because of too many failures.", func() int64 { _, refused := g.failures.Counts(); return refused }),
		count("cleat_audit_failures_total", "Lines of the audit log that could not be written.", g.o.Audit.failures),
	}
}

package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cleat/internal/authorizer"
	"cleat/internal/awsapi"
	"cleat/internal/controlapi"
	"cleat/internal/credentials"
	"cleat/internal/datadir"
	"cleat/internal/gateway"
	"cleat/internal/iampolicy"
	"cleat/internal/identity"
	"cleat/internal/listen"
	"cleat/internal/store"
)

// AccessOptions say how a node keeps who may call it.
type AccessOptions struct {
	// SealKey is the sealing key's text, and SealKeyFile a file that it is in. Both empty: the file seal.key of the data
	// directory, which is made at the first start.
	SealKey, SealKeyFile string
	// Audit is where the audit log goes, as eventlog.Open takes it. Empty: the file audit.log of the data directory.
	Audit string
	// Std are what the targets "stdout" and "stderr" mean.
	Std map[string]io.Writer
	// ShowFirstKey is given the administrator's access key that is made at the first start of a node that nobody could call.
	// Where it fails, the node does not start, and the next start makes another. Nil: none is made.
	ShowFirstKey func(awsapi.Credentials) error
}

// accessOptions are what a node needs to know of it.
type accessOptions struct {
	key      identity.SealKey // zero: one that lasts as long as the process
	required bool             // signatures are asked for, whether there are users or not
	audit    *auditLog        // nil: nothing is written
}

// access is who may call a node.
type access struct {
	ids      *identity.Identities
	failures *authorizer.Failures
	audit    *auditLog
	required bool
	region   string
	account  string
	current  atomic.Pointer[identities] // never nil

	mu       sync.Mutex // serialises loads, so that what was read last is what holds
	settings *settings  // guarded by mu: of the last load; nil before it
}

// openAccess opens what a node that asks for signatures needs of its data directory: its store, the sealing key and the audit
// log. It comes before newNode; what it returns is called after the node's end, and after a failure too.
func openAccess(ctx context.Context, n *nodeOptions, dataDir string, o AccessOptions) (closeAccess func() error, err error) {
	closeAccess = func() error { return nil }
	if n.store == nil {
		if n.store, closeAccess, err = datadir.Open(ctx, dataDir, n.log); err != nil {
			return func() error { return nil }, err
		}
	}
	n.access.required = true
	if n.access.key, err = openSealKey(ctx, n.store, dataDir, o); err != nil {
		return closeAccess, err
	}
	if n.access.audit, err = openAuditLog(dataDir, o, n.log); err != nil {
		return closeAccess, err
	}
	closeStore := closeAccess
	return func() error { return errors.Join(n.access.audit.close(), closeStore()) }, nil
}

// admit lets those call who may, and makes the first of them where there is nobody. It comes before any listener accepts, and
// fails where a secret cannot be opened or users stand in each other's way.
func (n *node) admit(ctx context.Context, p settings, o AccessOptions) error {
	if err := n.loadIdentities(ctx, p); err != nil {
		return err
	}
	return n.firstAdmin(ctx, p, o)
}

// setAccess sets access up; nobody may call before loadIdentities where signatures are required.
func (n *node) setAccess(o accessOptions, region, account string) {
	if o.key.IsZero() {
		o.key, _ = identity.NewSealKey()
	}
	a := &n.access
	a.failures, a.audit, a.required = &authorizer.Failures{}, o.audit, o.required
	a.region, a.account = cmp.Or(region, awsapi.DefaultRegion), cmp.Or(account, awsapi.DefaultAccount)
	a.ids = identity.New(n.store, identity.Options{
		Region: a.region, Account: a.account, Key: o.key, Reserved: a.reserved, Changed: n.reloadIdentities,
	})
	a.current.Store(&identities{iam: a.closed(), enforced: o.required})
}

// closed is the IAM before anybody is known.
func (a *access) closed() *authorizer.IAM {
	o := authorizer.IAMOptions{Region: a.region, Account: a.account}
	if a.required {
		o.Management, o.Users = true, &credentials.Set{}
	}
	return authorizer.NewIAM(o)
}

// reserved tells of the users of cleat.yaml.
func (a *access) reserved(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.settings == nil {
		return false
	}
	for _, u := range a.settings.Users.List {
		if strings.EqualFold(u.Name, name) {
			return true
		}
	}
	return false
}

// loadIdentities puts into effect who may call by the settings and by the store. After an error everything stays as it was.
func (n *node) loadIdentities(ctx context.Context, p settings) error {
	n.access.mu.Lock()
	defer n.access.mu.Unlock()
	stored, err := n.access.ids.Signers(ctx)
	if err != nil {
		return err
	}
	who, err := n.access.identitiesOf(p, stored, n.functionKeys, n.functionEnv)
	if err != nil {
		return err
	}
	n.access.settings = &p
	n.access.current.Store(&who)
	n.gateway.SetIAM(who.iam)
	n.functions.SetCredentials(who.functions)
	return nil
}

// reloadIdentities puts a change of the users into effect before it is answered.
func (n *node) reloadIdentities(ctx context.Context) {
	n.access.mu.Lock()
	p := n.access.settings
	n.access.mu.Unlock()
	if p == nil {
		return
	}
	if err := n.loadIdentities(ctx, *p); err != nil {
		n.log.Error("a change of the users could not be put into effect", "err", err)
	}
}

// authorize is the control plane's look at who calls. Who is refused by a policy is known all the same.
func (n *node) authorize(r *http.Request, body func() ([]byte, error), a controlapi.Access) (controlapi.Caller, error) {
	who := n.access.current.Load()
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

// originOf is where a request comes from, as policies and limits see it.
func originOf(r *http.Request) iampolicy.Origin {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = "" // a Unix socket's
	}
	return iampolicy.Origin{Time: time.Now(), SourceIP: host, UserAgent: r.UserAgent(), Referer: r.Referer(), TLS: listen.IsHTTPS(r)}
}

// collectors show how often somebody failed to authenticate, and whether all changes are on record.
func (a *access) collectors() []prometheus.Collector {
	count := func(name, help string, n func() int64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(n()) })
	}
	return []prometheus.Collector{
		count("cleat_authentication_failures_total", "Requests signed with an unknown access key or a wrong secret.", func() int64 { failed, _ := a.failures.Counts(); return failed }),
		count("cleat_authentication_refusals_total", "Requests refused without a look, because of too many failures.", func() int64 { _, refused := a.failures.Counts(); return refused }),
		count("cleat_audit_failures_total", "Lines of the audit log that could not be written.", a.audit.failures),
	}
}

// openSealKey finds the key that seals the secrets of a store, or makes one where there are no secrets yet.
func openSealKey(ctx context.Context, s *store.Store, dataDir string, o AccessOptions) (identity.SealKey, error) {
	switch {
	case o.SealKey != "":
		key, err := identity.ParseSealKey(o.SealKey)
		if err != nil {
			return key, fmt.Errorf("the sealing key that was given: %w", err)
		}
		return key, nil
	case o.SealKeyFile != "":
		return identity.ReadSealKey(o.SealKeyFile)
	case dataDir == "":
		key, _ := identity.NewSealKey()
		return key, nil
	}
	path := filepath.Join(dataDir, datadir.SealKeyFile)
	key, err := identity.ReadSealKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	n, err := identity.Sealed(ctx, s)
	switch {
	case err != nil:
		return key, err
	case n > 0:
		return key, fmt.Errorf("%s is not there, and without it the %d secrets in the store cannot be opened: put it back from where it is kept, or start over with \"cleat credentials reset-admin\"", path, n)
	}
	return identity.MakeSealKey(path)
}

// firstAdmin makes the administrator of a node that nobody could call.
func (n *node) firstAdmin(ctx context.Context, p settings, o AccessOptions) error {
	if len(p.Users.List) > 0 || o.ShowFirstKey == nil {
		return nil
	}
	made, err := n.access.ids.FirstAdmin(ctx, o.ShowFirstKey)
	if made && err == nil {
		n.access.audit.entry(offlineEntry("FirstAdmin", nodeARN(n.access.region, n.access.account))) //nolint:contextcheck // what was done is written down whatever becomes of ctx
		n.log.Info("made the user admin, for nobody could call this node")
	}
	return err
}

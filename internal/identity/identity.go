package identity

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"cleat/internal/awsapi"
	"cleat/internal/iampolicy"
	"cleat/internal/store"
)

// Options are what identities depend on.
type Options struct {
	Region  string // tells the partition of ARNs; empty: awsapi.DefaultRegion
	Account string // empty: awsapi.DefaultAccount
	Key     SealKey
	// Reserved tells of a user's name that is taken elsewhere, as in cleat.yaml. Nil: none is.
	Reserved func(name string) bool
	// Changed is called after each change of a user, before the change is answered, so that it can take effect by then. Nil:
	// nobody has to know at once.
	Changed func(context.Context)
}

// Identities are the users and roles of one store. It is safe for concurrent use, also by several nodes over one store, if all
// have the same sealing key.
type Identities struct {
	store     *store.Store
	o         Options
	partition string
	uses      uses
}

// New returns the identities in a store.
func New(s *store.Store, o Options) *Identities {
	o.Region = cmp.Or(o.Region, awsapi.DefaultRegion)
	o.Account = cmp.Or(o.Account, awsapi.DefaultAccount)
	if o.Reserved == nil {
		o.Reserved = func(string) bool { return false }
	}
	if o.Changed == nil {
		o.Changed = func(context.Context) {}
	}
	return &Identities{store: s, o: o, partition: awsapi.Partition(o.Region)}
}

// Signer is a user as package credentials wants them: with opened secrets and compiled policies.
type Signer struct {
	Name, ID, ARN, Account string
	Keys                   []SignerKey
	Policies               []*iampolicy.Policy
}

// SignerKey is one of a Signer's access keys.
type SignerKey struct {
	awsapi.Credentials
	Disabled bool
}

// Signers returns all users, ordered by name. It fails where a secret does not open or a policy cannot be read: leaving
// either out could let somebody in whom a policy keeps out.
func (i *Identities) Signers(ctx context.Context) ([]Signer, error) {
	users, err := store.List(ctx, i.store, store.Users())
	if err != nil {
		return nil, fmt.Errorf("read the users: %w", err)
	}
	out := make([]Signer, 0, len(users))
	for j := range users {
		u := &users[j]
		s := Signer{Name: u.UserName, ID: u.UserID, ARN: i.UserARN(u), Account: i.o.Account}
		for _, k := range u.AccessKeys {
			secret, err := i.o.Key.open(k.AccessKeyID, k.Sealed)
			if err != nil {
				return nil, fmt.Errorf("user %s: %w", u.UserName, err)
			}
			c := awsapi.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: secret}
			s.Keys = append(s.Keys, SignerKey{c, k.Status != StatusActive})
		}
		for name, document := range u.UserPolicies {
			p, err := iampolicy.Parse([]byte(document), iampolicy.UseIdentity)
			if err != nil {
				return nil, fmt.Errorf("user %s: policy %s: %w", u.UserName, name, err)
			}
			s.Policies = append(s.Policies, p)
		}
		out = append(out, s)
	}
	return out, nil
}

// Sealed is the number of secrets in a store. While it is zero, any sealing key will do.
func Sealed(ctx context.Context, s *store.Store) (int, error) {
	users, err := store.List(ctx, s, store.Users())
	if err != nil {
		return 0, fmt.Errorf("read the users: %w", err)
	}
	n := 0
	for _, u := range users {
		n += len(u.AccessKeys)
	}
	return n, nil
}

// UserARN is a user's ARN.
func (i *Identities) UserARN(u *store.User) string { return i.arn("user" + u.Path + u.UserName) }

// RoleARN is a role's ARN.
func (i *Identities) RoleARN(r *store.Role) string { return i.arn("role" + r.Path + r.RoleName) }

func (i *Identities) arn(resource string) string {
	return "arn:" + i.partition + ":iam::" + i.o.Account + ":" + resource
}

// now is the time as IAM keeps it: UTC, whole seconds.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// uniqueID is a fresh identifier in the shape of IAM's: "AIDA" and 17 characters, for instance.
func uniqueID(prefix string) string { return prefix + rand.Text()[:17] }

// attempts bounds how often a change is tried again when somebody else was quicker.
const attempts = 5

// change reads a value, has it edited, and writes it back, again and again until nobody else wrote meanwhile. absent is the
// error where there is no such value.
func change[T any](ctx context.Context, i *Identities, key store.Key[T], absent error, edit func(*T) error) error {
	return i.retry(ctx, func(b *store.Batch) error {
		v, at, err := present(ctx, i, key, absent)
		if err == nil {
			err = edit(&v)
		}
		if err != nil {
			return err
		}
		store.Put(b, key, v, store.At(at))
		return nil
	})
}

// remove deletes a value that may be deleted.
func remove[T any](ctx context.Context, i *Identities, key store.Key[T], absent error, may func(*T) error) error {
	return i.retry(ctx, func(b *store.Batch) error {
		v, at, err := present(ctx, i, key, absent)
		if err == nil {
			err = may(&v)
		}
		if err != nil {
			return err
		}
		store.Delete(b, key, store.At(at))
		return nil
	})
}

// present reads a value with its revision. absent is the error where there is no such value.
func present[T any](ctx context.Context, i *Identities, key store.Key[T], absent error) (T, store.Revision, error) {
	v, at, err := store.Get(ctx, i.store, key)
	if errors.Is(err, store.ErrNotFound) {
		err = absent
	}
	return v, at, err
}

// retry makes the change that prepare puts in a batch, from the start where it conflicts.
func (i *Identities) retry(ctx context.Context, prepare func(*store.Batch) error) error {
	var err error
	for range attempts {
		var b store.Batch
		if err := prepare(&b); err != nil {
			return err
		}
		if _, err = i.store.Commit(ctx, &b); !errors.Is(err, store.ErrConflict) {
			if err == nil {
				i.o.Changed(ctx)
			}
			return err
		}
	}
	return ConcurrentModification.Errorf("The request was rejected because multiple requests to change this object were submitted simultaneously. Wait a few minutes and submit your request again.")
}

// create writes a new value, and fails with taken where there is one.
func create[T any](ctx context.Context, i *Identities, key store.Key[T], v T, taken error) error {
	var b store.Batch
	store.Put(&b, key, v, store.Absent())
	_, err := i.store.Commit(ctx, &b)
	if errors.Is(err, store.ErrConflict) {
		return taken
	}
	if err == nil {
		i.o.Changed(ctx)
	}
	return err
}

// Bounds of names and texts, AWS's where it documents them.
const (
	maxName        = 64
	maxPolicyName  = 128
	maxPath        = 512
	maxTags        = 50
	maxTagKey      = 128
	maxTagValue    = 256
	maxDescription = 1000
	// maxPolicies bounds the documents of one user or role together, in bytes. AWS's own bounds are 2,048 and 10,240.
	maxPolicies = 128 << 10
	// maxEntities bounds users, and roles. AWS's own bounds are 5,000 and 1,000.
	maxEntities = 5000
)

var (
	namePattern = regexp.MustCompile(`^[\w+=,.@-]+$`)
	pathPattern = regexp.MustCompile(`^/(?:[!-~]+/)?$`)
	arnPattern  = regexp.MustCompile(`^arn:[\w-]+:iam::(?:aws|\d{12}):policy/[\w+=,.@/-]+$`)
)

// checkName holds a name to IAM's rule. member is what the request calls it, such as "userName".
func checkName(member, name string, most int) error {
	switch {
	case name == "":
		return ValidationError.Errorf("1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", member)
	case len(name) > most:
		return ValidationError.Errorf("1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have length less than or equal to %d", member, most)
	case !namePattern.MatchString(name):
		return ValidationError.Errorf("The specified value for %s is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-", member)
	}
	return nil
}

// checkPath holds a path to IAM's rule; an empty one is "/".
func checkPath(path *string) error {
	*path = cmp.Or(*path, "/")
	if len(*path) > maxPath || !pathPattern.MatchString(*path) {
		return ValidationError.Errorf("The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.")
	}
	return nil
}

// addTags adds tags to those of an entity.
func addTags(to *map[string]string, tags map[string]string) error {
	if *to == nil && len(tags) > 0 {
		*to = map[string]string{}
	}
	for k, v := range tags {
		if k == "" || len(k) > maxTagKey || len(v) > maxTagValue || strings.HasPrefix(strings.ToLower(k), "aws:") {
			return InvalidInput.Errorf("The tag %.128q is not valid: a key has 1 to %d characters and does not begin with aws:, a value has %d at most", k, maxTagKey, maxTagValue)
		}
		(*to)[k] = v
	}
	if len(*to) > maxTags {
		return LimitExceeded.Errorf("Cannot exceed quota for TagsPerEntity: %d", maxTags)
	}
	return nil
}

// checkPolicies bounds the documents of one entity.
func checkPolicies(policies map[string]string) error {
	n := 0
	for _, document := range policies {
		n += len(document)
	}
	if n > maxPolicies {
		return LimitExceeded.Errorf("Maximum policy size of %d bytes exceeded", maxPolicies)
	}
	return nil
}

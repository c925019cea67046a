package identity

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"time"

	"cleat/internal/awsapi"
	"cleat/internal/store"
)

// The statuses of an access key.
const (
	StatusActive   = "Active"
	StatusInactive = "Inactive"
)

// maxAccessKeys is how many keys a user has at most: the old one and the new one, while keys are rotated.
const maxAccessKeys = 2

// newAccessKey makes a key pair, and what of it goes to the store.
func (i *Identities) newAccessKey() (store.AccessKey, awsapi.Credentials) {
	c := awsapi.Credentials{AccessKeyID: "AKIA" + rand.Text()[:16], SecretAccessKey: rand.Text() + rand.Text()[:14]}
	return store.AccessKey{
		AccessKeyID: c.AccessKeyID, Sealed: i.o.Key.seal(c.AccessKeyID, c.SecretAccessKey), Status: StatusActive, CreateDate: now(),
	}, c
}

// CreateAccessKey gives a user a further key. This is the only time that its secret is told.
func (i *Identities) CreateAccessKey(ctx context.Context, name string) (store.AccessKey, awsapi.Credentials, error) {
	key, c := i.newAccessKey()
	err := i.changeUser(ctx, name, func(u *store.User) error {
		if len(u.AccessKeys) >= maxAccessKeys {
			return LimitExceeded.Errorf("Cannot exceed quota for AccessKeysPerUser: %d", maxAccessKeys)
		}
		u.AccessKeys = append(u.AccessKeys, key)
		return nil
	})
	if err != nil {
		return store.AccessKey{}, awsapi.Credentials{}, err
	}
	return key, c, nil
}

func accessKeyIndex(u *store.User, id string) (int, error) {
	at := slices.IndexFunc(u.AccessKeys, func(k store.AccessKey) bool { return k.AccessKeyID == id })
	if at < 0 {
		return 0, noAccessKey(id)
	}
	return at, nil
}

func noAccessKey(id string) error {
	return NoSuchEntity.Errorf("The Access Key with id %.128s cannot be found.", id)
}

// UpdateAccessKey makes a key StatusActive or StatusInactive.
func (i *Identities) UpdateAccessKey(ctx context.Context, name, id, status string) error {
	if status != StatusActive && status != StatusInactive {
		return ValidationError.Errorf("1 validation error detected: Value at 'status' failed to satisfy constraint: Member must satisfy enum value set: [Active, Inactive]")
	}
	return i.changeUser(ctx, name, func(u *store.User) error {
		at, err := accessKeyIndex(u, id)
		if err == nil {
			u.AccessKeys[at].Status = status
		}
		return err
	})
}

// DeleteAccessKey takes a key away for good.
func (i *Identities) DeleteAccessKey(ctx context.Context, name, id string) error {
	err := i.changeUser(ctx, name, func(u *store.User) error {
		at, err := accessKeyIndex(u, id)
		if err == nil {
			u.AccessKeys = slices.Delete(u.AccessKeys, at, at+1)
		}
		return err
	})
	if err == nil {
		i.uses.forget(id)
	}
	return err
}

// KeyOwner returns the user whose access key an ID is.
func (i *Identities) KeyOwner(ctx context.Context, id string) (*store.User, error) {
	users, err := i.ListUsers(ctx)
	if err != nil {
		return nil, err
	}
	for j := range users {
		if _, err := accessKeyIndex(&users[j], id); err == nil {
			return &users[j], nil
		}
	}
	return nil, noAccessKey(id)
}

// Use is the last use of an access key that this node knows of.
type Use struct {
	Time            time.Time
	Service, Region string
}

// uses are the last uses of keys, in memory only. There is one for each key in use, so that the number of keys bounds them.
type uses struct {
	mu    sync.RWMutex
	byKey map[string]Use // guarded by mu
}

// useGrain is how exact a last use is. It keeps the way of every message from a lock that all share.
const useGrain = time.Minute

// Used notes that a request was signed with a key that exists. It is cheap enough for every request.
func (i *Identities) Used(accessKeyID, service, region string, at time.Time) {
	u := &i.uses
	u.mu.RLock()
	last, ok := u.byKey[accessKeyID]
	u.mu.RUnlock()
	if ok && last.Service == service && last.Region == region && at.Sub(last.Time) < useGrain {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.byKey == nil {
		u.byKey = map[string]Use{}
	}
	u.byKey[accessKeyID] = Use{at.UTC().Truncate(time.Second), service, region}
}

// LastUse returns the last use of a key, and whether there was one since the node started.
func (i *Identities) LastUse(accessKeyID string) (Use, bool) {
	i.uses.mu.RLock()
	defer i.uses.mu.RUnlock()
	use, ok := i.uses.byKey[accessKeyID]
	return use, ok
}

func (u *uses) forget(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.byKey, id)
}

package identity

import (
	"context"
	"errors"
	"fmt"

	"cleat/internal/awsapi"
	"cleat/internal/store"
)

// AdminName is the user that a node without any credentials makes for itself.
const AdminName = "admin"

// FirstAdmin makes the administrator of a store that has nobody's key in it, and tells whether it did. See ResetAdmin.
func (i *Identities) FirstAdmin(ctx context.Context, show func(awsapi.Credentials) error) (bool, error) {
	if n, err := Sealed(ctx, i.store); err != nil || n > 0 {
		return false, err
	}
	return true, i.ResetAdmin(ctx, show)
}

// ResetAdmin gives the user AdminName a new access key in the place of all that they had, and a policy that allows
// everything; where there is no such user, they are made.
//
// The key is shown before it is kept. A crash between the two leaves a key on the screen that never worked, and the next
// start shows another; the other order could leave a key that works and that nobody has ever seen. Where show fails, nothing
// is kept.
func (i *Identities) ResetAdmin(ctx context.Context, show func(awsapi.Credentials) error) error {
	u, at, err := store.Get(ctx, i.store, userKey(AdminName))
	expect := store.At(at)
	if errors.Is(err, store.ErrNotFound) {
		var made *store.User
		if made, err = i.newUser(NewUser{UserName: AdminName}); err == nil {
			u, expect = *made, store.Absent()
		}
	}
	if err != nil {
		return fmt.Errorf("make the administrator: %w", err)
	}
	key, c := i.newAccessKey()
	u.AccessKeys = []store.AccessKey{key}
	u.UserPolicies = map[string]string{PolicyAdmin: ReadyMade[PolicyAdmin]}
	if err := show(c); err != nil {
		return fmt.Errorf("the administrator's key could not be shown, and so was not kept: %w", err)
	}
	var b store.Batch
	store.Put(&b, userKey(AdminName), u, expect)
	if _, err := i.store.Commit(ctx, &b); err != nil {
		return fmt.Errorf("the administrator's key %s that was just shown could not be kept and does not work: %w", c.AccessKeyID, err)
	}
	i.o.Changed(ctx)
	return nil
}

// DiscardKeys takes all access keys away from all users: what is left to do where the sealing key is lost. It returns how
// many there were.
func (i *Identities) DiscardKeys(ctx context.Context) (int, error) {
	users, err := i.ListUsers(ctx)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, u := range users {
		err := i.changeUser(ctx, u.UserName, func(u *store.User) error {
			n += len(u.AccessKeys)
			u.AccessKeys = nil
			return nil
		})
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

package identity

import (
	"context"
	"errors"

	"cleat/internal/iampolicy"
	"cleat/internal/store"
)

// NewUser is what a user is made of.
type NewUser struct {
	UserName string
	Path     string // empty: "/"
	Tags     map[string]string
}

func userKey(name string) store.Key[store.User] { return store.Users().Key(store.IdentityKey(name)) }

func noUser(name string) error {
	return NoSuchEntity.Errorf("The user with name %s cannot be found.", name)
}

// CreateUser makes a user, who has no key and may do nothing yet.
func (i *Identities) CreateUser(ctx context.Context, in NewUser) (*store.User, error) {
	u, err := i.newUser(in)
	if err != nil {
		return nil, err
	}
	all, err := i.ListUsers(ctx)
	if err != nil {
		return nil, err
	}
	if len(all) >= maxEntities {
		return nil, LimitExceeded.Errorf("Cannot exceed quota for UsersPerAccount: %d", maxEntities)
	}
	return u, create(ctx, i, userKey(u.UserName), *u, EntityAlreadyExists.Errorf("User with name %s already exists.", u.UserName))
}

func (i *Identities) newUser(in NewUser) (*store.User, error) {
	u := store.User{Path: in.Path, UserName: in.UserName, UserID: uniqueID("AIDA"), CreateDate: now()}
	if err := errors.Join(checkName("userName", u.UserName, maxName), checkPath(&u.Path), addTags(&u.Tags, in.Tags)); err != nil {
		return nil, err
	}
	if i.o.Reserved(u.UserName) {
		return nil, EntityAlreadyExists.Errorf("User with name %s already exists: it stands in the node's configuration.", u.UserName)
	}
	return &u, nil
}

// User returns a user.
func (i *Identities) User(ctx context.Context, name string) (*store.User, error) {
	if err := checkName("userName", name, maxName); err != nil {
		return nil, err
	}
	u, _, err := store.Get(ctx, i.store, userKey(name))
	if errors.Is(err, store.ErrNotFound) {
		return nil, i.absent(name)
	}
	return &u, err
}

// absent is the error for a user who is not in the store.
func (i *Identities) absent(name string) error {
	if i.o.Reserved(name) {
		return NoSuchEntity.Errorf("The user with name %s stands in the node's configuration, where alone it can be changed.", name)
	}
	return noUser(name)
}

// ListUsers returns all users, ordered by name.
func (i *Identities) ListUsers(ctx context.Context) ([]store.User, error) {
	return store.List(ctx, i.store, store.Users())
}

// DeleteUser deletes a user who has neither keys nor policies left.
func (i *Identities) DeleteUser(ctx context.Context, name string) error {
	if err := checkName("userName", name, maxName); err != nil {
		return err
	}
	return remove(ctx, i, userKey(name), i.absent(name), func(u *store.User) error {
		switch {
		case len(u.AccessKeys) > 0:
			return DeleteConflict.Errorf("Cannot delete entity, must delete access keys first.")
		case len(u.UserPolicies) > 0:
			return DeleteConflict.Errorf("Cannot delete entity, must delete policies first.")
		}
		return nil
	})
}

// changeUser edits a user.
func (i *Identities) changeUser(ctx context.Context, name string, edit func(*store.User) error) error {
	if err := checkName("userName", name, maxName); err != nil {
		return err
	}
	return change(ctx, i, userKey(name), i.absent(name), edit)
}

// TagUser adds tags to a user's.
func (i *Identities) TagUser(ctx context.Context, name string, tags map[string]string) error {
	return i.changeUser(ctx, name, func(u *store.User) error { return addTags(&u.Tags, tags) })
}

// UntagUser takes tags away from a user.
func (i *Identities) UntagUser(ctx context.Context, name string, keys []string) error {
	return i.changeUser(ctx, name, func(u *store.User) error {
		for _, k := range keys {
			delete(u.Tags, k)
		}
		return nil
	})
}

// PutUserPolicy gives a user a policy, in the place of one of that name.
func (i *Identities) PutUserPolicy(ctx context.Context, name, policy, document string) error {
	if err := checkName("policyName", policy, maxPolicyName); err != nil {
		return err
	}
	if _, err := iampolicy.Parse([]byte(document), iampolicy.UseIdentity); err != nil {
		return MalformedPolicyDocument.Errorf("The policy is not valid: %v", err)
	}
	return i.changeUser(ctx, name, func(u *store.User) error {
		if u.UserPolicies == nil {
			u.UserPolicies = map[string]string{}
		}
		u.UserPolicies[policy] = document
		return checkPolicies(u.UserPolicies)
	})
}

// UserPolicy returns the document of one of a user's policies, as it was put.
func (i *Identities) UserPolicy(ctx context.Context, name, policy string) (string, error) {
	u, err := i.User(ctx, name)
	if err != nil {
		return "", err
	}
	document, ok := u.UserPolicies[policy]
	if !ok {
		return "", NoSuchEntity.Errorf("The user policy with name %.128s cannot be found.", policy)
	}
	return document, nil
}

// DeleteUserPolicy takes a policy away from a user.
func (i *Identities) DeleteUserPolicy(ctx context.Context, name, policy string) error {
	return i.changeUser(ctx, name, func(u *store.User) error {
		if _, ok := u.UserPolicies[policy]; !ok {
			return NoSuchEntity.Errorf("The user policy with name %.128s cannot be found.", policy)
		}
		delete(u.UserPolicies, policy)
		return nil
	})
}

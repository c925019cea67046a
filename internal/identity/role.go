package identity

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"cleat/internal/store"
)

// NewRole is what a role is made of.
type NewRole struct {
	RoleName                 string
	Path                     string // empty: "/"
	AssumeRolePolicyDocument string
	Description              string
	MaxSessionDuration       int // seconds; zero: an hour
	PermissionsBoundary      string
	Tags                     map[string]string
}

// The bounds of a role's sessions, in seconds.
const (
	minSession     = 3600
	maxSession     = 43200
	defaultSession = minSession
)

func roleKey(name string) store.Key[store.Role] { return store.Roles().Key(store.IdentityKey(name)) }

func noRole(name string) error {
	return NoSuchEntity.Errorf("The role with name %s cannot be found.", name)
}

// CreateRole makes a role.
func (i *Identities) CreateRole(ctx context.Context, in NewRole) (*store.Role, error) {
	r := store.Role{
		Path: in.Path, RoleName: in.RoleName, RoleID: uniqueID("AROA"), CreateDate: now(), Description: in.Description,
		MaxSessionDuration: in.MaxSessionDuration, AssumeRolePolicyDocument: in.AssumeRolePolicyDocument, PermissionsBoundary: in.PermissionsBoundary,
	}
	if r.MaxSessionDuration == 0 {
		r.MaxSessionDuration = defaultSession
	}
	err := errors.Join(checkName("roleName", r.RoleName, maxName), checkPath(&r.Path), checkDocument(r.AssumeRolePolicyDocument),
		checkRole(&r), addTags(&r.Tags, in.Tags))
	if err != nil {
		return nil, err
	}
	if r.PermissionsBoundary != "" {
		if err := checkPolicyARN(r.PermissionsBoundary); err != nil {
			return nil, err
		}
	}
	all, err := i.ListRoles(ctx)
	if err != nil {
		return nil, err
	}
	if len(all) >= maxEntities {
		return nil, LimitExceeded.Errorf("Cannot exceed quota for RolesPerAccount: %d", maxEntities)
	}
	return &r, create(ctx, i, roleKey(r.RoleName), r, EntityAlreadyExists.Errorf("Role with name %s already exists.", r.RoleName))
}

func checkRole(r *store.Role) error {
	if r.MaxSessionDuration < minSession || r.MaxSessionDuration > maxSession {
		return ValidationError.Errorf("1 validation error detected: Value '%d' at 'maxSessionDuration' failed to satisfy constraint: Member must have value between %d and %d", r.MaxSessionDuration, minSession, maxSession)
	}
	return checkDescription(r.Description)
}

func checkDescription(text string) error {
	if len(text) > maxDescription {
		return ValidationError.Errorf("1 validation error detected: Value at 'description' failed to satisfy constraint: Member must have length less than or equal to %d", maxDescription)
	}
	return nil
}

// checkDocument holds a document of a role or a managed policy to its outer form only: nothing is ever decided by it.
func checkDocument(document string) error {
	var outer struct {
		Statement json.RawMessage `json:"Statement"`
	}
	if len(document) > maxPolicies || json.Unmarshal([]byte(document), &outer) != nil || outer.Statement == nil {
		return MalformedPolicyDocument.Errorf("This policy contains invalid Json, or no Statement")
	}
	return nil
}

func checkPolicyARN(arn string) error {
	if len(arn) > 2*maxPath || !arnPattern.MatchString(arn) {
		return ValidationError.Errorf("ARN %.256s is not valid.", arn)
	}
	return nil
}

// Role returns a role.
func (i *Identities) Role(ctx context.Context, name string) (*store.Role, error) {
	if err := checkName("roleName", name, maxName); err != nil {
		return nil, err
	}
	r, _, err := store.Get(ctx, i.store, roleKey(name))
	if errors.Is(err, store.ErrNotFound) {
		return nil, noRole(name)
	}
	return &r, err
}

// ListRoles returns all roles, ordered by name.
func (i *Identities) ListRoles(ctx context.Context) ([]store.Role, error) {
	return store.List(ctx, i.store, store.Roles())
}

// changeRole edits a role.
func (i *Identities) changeRole(ctx context.Context, name string, edit func(*store.Role) error) error {
	if err := checkName("roleName", name, maxName); err != nil {
		return err
	}
	return change(ctx, i, roleKey(name), noRole(name), edit)
}

// DeleteRole deletes a role that has no policies left, neither its own nor attached ones.
func (i *Identities) DeleteRole(ctx context.Context, name string) error {
	if err := checkName("roleName", name, maxName); err != nil {
		return err
	}
	return remove(ctx, i, roleKey(name), noRole(name), func(r *store.Role) error {
		switch {
		case len(r.AttachedPolicies) > 0:
			return DeleteConflict.Errorf("Cannot delete entity, must detach all policies first.")
		case len(r.RolePolicies) > 0:
			return DeleteConflict.Errorf("Cannot delete entity, must delete policies first.")
		}
		return nil
	})
}

// UpdateRole changes a role's description and session length; what is nil stays.
func (i *Identities) UpdateRole(ctx context.Context, name string, description *string, maxSessionDuration *int) (*store.Role, error) {
	var out store.Role
	err := i.changeRole(ctx, name, func(r *store.Role) error {
		if description != nil {
			r.Description = *description
		}
		if maxSessionDuration != nil {
			r.MaxSessionDuration = *maxSessionDuration
		}
		out = *r
		return checkRole(r)
	})
	return &out, err
}

// UpdateAssumeRolePolicy changes who may assume a role, which nobody can here.
func (i *Identities) UpdateAssumeRolePolicy(ctx context.Context, name, document string) error {
	if err := checkDocument(document); err != nil {
		return err
	}
	return i.changeRole(ctx, name, func(r *store.Role) error {
		r.AssumeRolePolicyDocument = document
		return nil
	})
}

// SetRolePermissionsBoundary gives a role a boundary, or takes it away where the ARN is empty.
func (i *Identities) SetRolePermissionsBoundary(ctx context.Context, name, arn string) error {
	if arn != "" {
		if err := checkPolicyARN(arn); err != nil {
			return err
		}
	}
	return i.changeRole(ctx, name, func(r *store.Role) error {
		r.PermissionsBoundary = arn
		return nil
	})
}

// TagRole adds tags to a role's.
func (i *Identities) TagRole(ctx context.Context, name string, tags map[string]string) error {
	return i.changeRole(ctx, name, func(r *store.Role) error { return addTags(&r.Tags, tags) })
}

// UntagRole takes tags away from a role.
func (i *Identities) UntagRole(ctx context.Context, name string, keys []string) error {
	return i.changeRole(ctx, name, func(r *store.Role) error {
		for _, k := range keys {
			delete(r.Tags, k)
		}
		return nil
	})
}

// PutRolePolicy gives a role a policy, in the place of one of that name.
func (i *Identities) PutRolePolicy(ctx context.Context, name, policy, document string) error {
	if err := errors.Join(checkName("policyName", policy, maxPolicyName), checkDocument(document)); err != nil {
		return err
	}
	return i.changeRole(ctx, name, func(r *store.Role) error {
		if r.RolePolicies == nil {
			r.RolePolicies = map[string]string{}
		}
		r.RolePolicies[policy] = document
		return checkPolicies(r.RolePolicies)
	})
}

// RolePolicy returns the document of one of a role's policies, as it was put.
func (i *Identities) RolePolicy(ctx context.Context, name, policy string) (string, error) {
	r, err := i.Role(ctx, name)
	if err != nil {
		return "", err
	}
	document, ok := r.RolePolicies[policy]
	if !ok {
		return "", NoSuchEntity.Errorf("The role policy with name %.128s cannot be found.", policy)
	}
	return document, nil
}

// DeleteRolePolicy takes a policy away from a role.
func (i *Identities) DeleteRolePolicy(ctx context.Context, name, policy string) error {
	return i.changeRole(ctx, name, func(r *store.Role) error {
		if _, ok := r.RolePolicies[policy]; !ok {
			return NoSuchEntity.Errorf("The role policy with name %.128s cannot be found.", policy)
		}
		delete(r.RolePolicies, policy)
		return nil
	})
}

// maxAttached is how many managed policies a role has at most (AWS: 10, up to 20 when asked for).
const maxAttached = 20

// AttachRolePolicy attaches a managed policy, which need not be there: nothing is decided by it. Attaching it twice is
// attaching it once.
func (i *Identities) AttachRolePolicy(ctx context.Context, name, arn string) error {
	if err := checkPolicyARN(arn); err != nil {
		return err
	}
	return i.changeRole(ctx, name, func(r *store.Role) error {
		if slices.Contains(r.AttachedPolicies, arn) {
			return nil
		}
		if len(r.AttachedPolicies) >= maxAttached {
			return LimitExceeded.Errorf("Cannot exceed quota for PoliciesPerRole: %d", maxAttached)
		}
		r.AttachedPolicies = append(r.AttachedPolicies, arn)
		return nil
	})
}

// DetachRolePolicy detaches a managed policy.
func (i *Identities) DetachRolePolicy(ctx context.Context, name, arn string) error {
	return i.changeRole(ctx, name, func(r *store.Role) error {
		at := slices.Index(r.AttachedPolicies, arn)
		if at < 0 {
			return noPolicy(arn)
		}
		r.AttachedPolicies = slices.Delete(r.AttachedPolicies, at, at+1)
		return nil
	})
}

package identity

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"cleat/internal/store"
)

// Managed policies are the account's own, as Terraform's aws_iam_policy makes them to attach them to the role of a function.
// They are kept and read back as they were written; nothing is ever decided by one.

// maxVersions is how many versions a managed policy has at most (AWS's quota).
const maxVersions = 5

// NewPolicy is what a managed policy is made of.
type NewPolicy struct {
	PolicyName     string
	Path           string // empty: "/"
	Description    string
	PolicyDocument string
	Tags           map[string]string
}

func policyKey(name string) store.Key[store.Policy] {
	return store.Policies().Key(store.IdentityKey(name))
}

func noPolicy(arn string) error { return NoSuchEntity.Errorf("Policy %.256s was not found.", arn) }

// PolicyARN is a managed policy's ARN.
func (i *Identities) PolicyARN(p *store.Policy) string {
	return i.arn("policy" + p.Path + p.PolicyName)
}

// CreatePolicy makes a managed policy of one version.
func (i *Identities) CreatePolicy(ctx context.Context, in NewPolicy) (*store.Policy, error) {
	p := store.Policy{Path: in.Path, PolicyName: in.PolicyName, PolicyID: uniqueID("ANPA"), Description: in.Description, CreateDate: now()}
	err := errors.Join(checkName("policyName", p.PolicyName, maxPolicyName), checkPath(&p.Path), checkDescription(p.Description), addTags(&p.Tags, in.Tags))
	if err == nil {
		err = addVersion(&p, in.PolicyDocument, true)
	}
	if err != nil {
		return nil, err
	}
	all, err := i.ListPolicies(ctx)
	if err != nil {
		return nil, err
	}
	if len(all) >= maxEntities {
		return nil, LimitExceeded.Errorf("Cannot exceed quota for PoliciesPerAccount: %d", maxEntities)
	}
	return &p, create(ctx, i, policyKey(p.PolicyName), p, EntityAlreadyExists.Errorf("A policy called %s already exists. Duplicate names are not allowed.", p.PolicyName))
}

// addVersion gives a policy a further document.
func addVersion(p *store.Policy, document string, isDefault bool) error {
	if err := checkDocument(document); err != nil {
		return err
	}
	if len(p.Versions) >= maxVersions {
		return LimitExceeded.Errorf("A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", maxVersions)
	}
	p.LastVersion++
	v := store.PolicyVersion{VersionID: "v" + strconv.Itoa(p.LastVersion), Document: document, CreateDate: now()}
	p.Versions = append(p.Versions, v)
	p.UpdateDate = v.CreateDate
	if isDefault {
		p.DefaultVersionID = v.VersionID
	}
	all := map[string]string{}
	for _, v := range p.Versions {
		all[v.VersionID] = v.Document
	}
	return checkPolicies(all)
}

// ListPolicies returns all managed policies, ordered by name.
func (i *Identities) ListPolicies(ctx context.Context) ([]store.Policy, error) {
	return store.List(ctx, i.store, store.Policies())
}

// Policy returns the managed policy of an ARN.
func (i *Identities) Policy(ctx context.Context, arn string) (*store.Policy, error) {
	if err := checkPolicyARN(arn); err != nil {
		return nil, err
	}
	p, _, err := store.Get(ctx, i.store, policyKey(nameIn(arn)))
	if errors.Is(err, store.ErrNotFound) || err == nil && i.PolicyARN(&p) != arn {
		return nil, noPolicy(arn)
	}
	return &p, err
}

// nameIn is the name in a policy's ARN.
func nameIn(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// changePolicy edits the managed policy of an ARN.
func (i *Identities) changePolicy(ctx context.Context, arn string, edit func(*store.Policy) error) error {
	if err := checkPolicyARN(arn); err != nil {
		return err
	}
	return change(ctx, i, policyKey(nameIn(arn)), noPolicy(arn), func(p *store.Policy) error {
		if i.PolicyARN(p) != arn {
			return noPolicy(arn)
		}
		p.Versions = slices.Clone(p.Versions)
		return edit(p)
	})
}

// RolesWithPolicy are the roles that a policy is attached to, ordered by name.
func (i *Identities) RolesWithPolicy(ctx context.Context, arn string) ([]store.Role, error) {
	all, err := i.ListRoles(ctx)
	return slices.DeleteFunc(all, func(r store.Role) bool { return !slices.Contains(r.AttachedPolicies, arn) }), err
}

// DeletePolicy deletes a managed policy that is attached to nothing and has one version.
func (i *Identities) DeletePolicy(ctx context.Context, arn string) error {
	if _, err := i.Policy(ctx, arn); err != nil {
		return err
	}
	roles, err := i.RolesWithPolicy(ctx, arn)
	if err != nil {
		return err
	}
	return remove(ctx, i, policyKey(nameIn(arn)), noPolicy(arn), func(p *store.Policy) error {
		switch {
		case len(roles) > 0:
			return DeleteConflict.Errorf("Cannot delete a policy attached to entities.")
		case len(p.Versions) > 1:
			return DeleteConflict.Errorf("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
		}
		return nil
	})
}

// VersionOf returns a version of a managed policy.
func VersionOf(p *store.Policy, id string) (store.PolicyVersion, error) {
	at := slices.IndexFunc(p.Versions, func(v store.PolicyVersion) bool { return v.VersionID == id })
	if at < 0 {
		return store.PolicyVersion{}, NoSuchEntity.Errorf("Policy version %.64s does not exist.", id)
	}
	return p.Versions[at], nil
}

// CreatePolicyVersion gives a managed policy a further document, which becomes the one that holds if isDefault says so.
func (i *Identities) CreatePolicyVersion(ctx context.Context, arn, document string, isDefault bool) (store.PolicyVersion, error) {
	var made store.PolicyVersion
	err := i.changePolicy(ctx, arn, func(p *store.Policy) error {
		if err := addVersion(p, document, isDefault); err != nil {
			return err
		}
		made = p.Versions[len(p.Versions)-1]
		return nil
	})
	return made, err
}

// DeletePolicyVersion deletes a version that is not the default one.
func (i *Identities) DeletePolicyVersion(ctx context.Context, arn, id string) error {
	return i.changePolicy(ctx, arn, func(p *store.Policy) error {
		if _, err := VersionOf(p, id); err != nil {
			return err
		}
		if id == p.DefaultVersionID {
			return DeleteConflict.Errorf("Cannot delete the default version of a policy.")
		}
		p.Versions = slices.DeleteFunc(p.Versions, func(v store.PolicyVersion) bool { return v.VersionID == id })
		return nil
	})
}

// SetDefaultPolicyVersion makes a version the one that holds.
func (i *Identities) SetDefaultPolicyVersion(ctx context.Context, arn, id string) error {
	return i.changePolicy(ctx, arn, func(p *store.Policy) error {
		_, err := VersionOf(p, id)
		p.DefaultVersionID, p.UpdateDate = id, now()
		return err
	})
}

// TagPolicy adds tags to a managed policy's.
func (i *Identities) TagPolicy(ctx context.Context, arn string, tags map[string]string) error {
	return i.changePolicy(ctx, arn, func(p *store.Policy) error { return addTags(&p.Tags, tags) })
}

// UntagPolicy takes tags away from a managed policy.
func (i *Identities) UntagPolicy(ctx context.Context, arn string, keys []string) error {
	return i.changePolicy(ctx, arn, func(p *store.Policy) error {
		for _, k := range keys {
			delete(p.Tags, k)
		}
		return nil
	})
}

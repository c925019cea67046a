package identity_test

import (
	"testing"

	"cleat/internal/identity"
)

// The life of a managed policy as Terraform's aws_iam_policy leads it, with IAM's rules.
func TestPolicyLife(t *testing.T) {
	i, _ := newTestIdentities(t)
	ctx := t.Context()
	for name, in := range map[string]identity.NewPolicy{
		"no name":     {PolicyDocument: allowAll},
		"a bad name":  {PolicyName: "a/b", PolicyDocument: allowAll},
		"a bad path":  {PolicyName: "p", Path: "app", PolicyDocument: allowAll},
		"a bad tag":   {PolicyName: "p", PolicyDocument: allowAll, Tags: map[string]string{"aws:x": ""}},
		"no document": {PolicyName: "p"},
	} {
		if _, err := i.CreatePolicy(ctx, in); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	p, err := i.CreatePolicy(ctx, identity.NewPolicy{PolicyName: "p", PolicyDocument: allowAll})
	if err != nil {
		t.Fatal(err)
	}
	arn := i.PolicyARN(p)
	for name, other := range map[string]string{
		"another path":    "arn:aws:iam::123456789012:policy/app/p",
		"another account": "arn:aws:iam::000000000000:policy/p",
		"AWS's":           "arn:aws:iam::aws:policy/p",
		"another case":    "arn:aws:iam::123456789012:policy/P",
	} {
		if _, err := i.Policy(ctx, other); codeOf(err) != identity.NoSuchEntity {
			t.Errorf("%s: got %v", name, err)
		}
		if err := i.DeletePolicy(ctx, other); codeOf(err) != identity.NoSuchEntity {
			t.Errorf("%s is deleted: got %v", name, err)
		}
		if _, err := i.CreatePolicyVersion(ctx, other, allowAll, true); codeOf(err) != identity.NoSuchEntity {
			t.Errorf("%s has a version: got %v", name, err)
		}
	}
	if _, err := i.Policy(ctx, "no ARN"); codeOf(err) != identity.ValidationError {
		t.Errorf("got %v", err)
	}
	for _, want := range []string{"v2", "v3", "v4", "v5"} {
		if v, err := i.CreatePolicyVersion(ctx, arn, allowAll, false); err != nil || v.VersionID != want {
			t.Errorf("got %+v, %v, want %s", v, err, want)
		}
	}
	if _, err := i.CreatePolicyVersion(ctx, arn, allowAll, false); codeOf(err) != identity.LimitExceeded {
		t.Errorf("a sixth version: got %v", err)
	}
	if err := i.DeletePolicyVersion(ctx, arn, "v1"); codeOf(err) != identity.DeleteConflict {
		t.Errorf("the default version: got %v", err)
	}
	if err := i.DeletePolicyVersion(ctx, arn, "v9"); codeOf(err) != identity.NoSuchEntity {
		t.Errorf("got %v", err)
	}
	if err := i.SetDefaultPolicyVersion(ctx, arn, "v9"); codeOf(err) != identity.NoSuchEntity {
		t.Errorf("got %v", err)
	}
	if err := i.DeletePolicyVersion(ctx, arn, "v5"); err != nil {
		t.Error(err)
	}
	if v, err := i.CreatePolicyVersion(ctx, arn, allowAll, true); err != nil || v.VersionID != "v6" { // no number comes back
		t.Errorf("got %+v, %v", v, err)
	}
	if err := i.DeletePolicy(ctx, arn); codeOf(err) != identity.DeleteConflict {
		t.Errorf("of several versions: got %v", err)
	}
	for _, id := range []string{"v1", "v2", "v3", "v4"} {
		if err := i.DeletePolicyVersion(ctx, arn, id); err != nil {
			t.Error(err)
		}
	}
	if p, err = i.Policy(ctx, arn); err != nil || p.DefaultVersionID != "v6" || len(p.Versions) != 1 || p.Versions[0].Document != allowAll {
		t.Errorf("got %+v, %v", p, err)
	}
	if err := i.DeletePolicy(ctx, arn); err != nil {
		t.Error(err)
	}
	if all, err := i.ListPolicies(ctx); err != nil || len(all) != 0 {
		t.Errorf("left are %v, %v", all, err)
	}
}

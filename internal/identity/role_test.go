package identity_test

import (
	"testing"

	"cleat/internal/identity"
)

const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// The life of a role as Terraform's aws_iam_role leads it.
func TestRoleLife(t *testing.T) {
	i, _ := newTestIdentities(t)
	ctx := t.Context()
	if _, err := i.CreateRole(ctx, identity.NewRole{RoleName: "r", AssumeRolePolicyDocument: "no JSON"}); codeOf(err) != identity.MalformedPolicyDocument {
		t.Errorf("got %v", err)
	}
	if _, err := i.CreateRole(ctx, identity.NewRole{RoleName: "r", AssumeRolePolicyDocument: trust, MaxSessionDuration: 60}); codeOf(err) != identity.ValidationError {
		t.Errorf("got %v", err)
	}
	r, err := i.CreateRole(ctx, identity.NewRole{RoleName: "r", Path: "/app/", AssumeRolePolicyDocument: trust, Tags: map[string]string{"a": "b"}})
	if err != nil || r.MaxSessionDuration != 3600 || i.RoleARN(r) != "arn:aws:iam::123456789012:role/app/r" {
		t.Fatalf("got %+v, %v", r, err)
	}
	if _, err := i.CreateRole(ctx, identity.NewRole{RoleName: "R", AssumeRolePolicyDocument: trust}); codeOf(err) != identity.EntityAlreadyExists {
		t.Errorf("got %v", err)
	}
	const managed = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
	hours := 7200
	description := "what it is for"
	for name, err := range map[string]error{
		"PutRolePolicy":          i.PutRolePolicy(ctx, "r", "push", allowAll),
		"AttachRolePolicy":       i.AttachRolePolicy(ctx, "r", managed),
		"AttachRolePolicy again": i.AttachRolePolicy(ctx, "r", managed),
		"TagRole":                i.TagRole(ctx, "r", map[string]string{"c": "d"}),
		"UntagRole":              i.UntagRole(ctx, "r", []string{"a"}),
		"UpdateAssumeRolePolicy": i.UpdateAssumeRolePolicy(ctx, "r", trust+" "),
		"boundary":               i.SetRolePermissionsBoundary(ctx, "r", managed),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := i.UpdateRole(ctx, "r", &description, &hours); err != nil {
		t.Error(err)
	}
	r, err = i.Role(ctx, "r")
	if err != nil || len(r.AttachedPolicies) != 1 || r.RolePolicies["push"] != allowAll || r.Tags["c"] != "d" || len(r.Tags) != 1 ||
		r.Description != description || r.MaxSessionDuration != hours || r.AssumeRolePolicyDocument != trust+" " || r.PermissionsBoundary != managed {
		t.Errorf("got %+v, %v", r, err)
	}
	if err := i.AttachRolePolicy(ctx, "r", "no ARN"); codeOf(err) != identity.ValidationError {
		t.Errorf("got %v", err)
	}
	if err := i.DeleteRole(ctx, "r"); codeOf(err) != identity.DeleteConflict {
		t.Errorf("got %v", err)
	}
	if err := i.DetachRolePolicy(ctx, "r", managed); err != nil {
		t.Error(err)
	}
	if err := i.DetachRolePolicy(ctx, "r", managed); codeOf(err) != identity.NoSuchEntity {
		t.Errorf("got %v", err)
	}
	if err := i.DeleteRole(ctx, "r"); codeOf(err) != identity.DeleteConflict {
		t.Errorf("got %v", err)
	}
	if err := i.DeleteRolePolicy(ctx, "r", "push"); err != nil {
		t.Error(err)
	}
	if err := i.DeleteRole(ctx, "r"); err != nil {
		t.Error(err)
	}
	if _, err := i.Role(ctx, "r"); codeOf(err) != identity.NoSuchEntity {
		t.Errorf("got %v", err)
	}
}

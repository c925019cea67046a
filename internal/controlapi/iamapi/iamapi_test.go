package iamapi_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"cleat/internal/apigw"
	"cleat/internal/controlapi"
	"cleat/internal/controlapi/iamapi"
	"cleat/internal/identity"
	"cleat/internal/store"
	"cleat/internal/store/memory"
)

type fixture struct {
	url   string
	ids   *identity.Identities
	audit []controlapi.Entry
	asked []controlapi.Access
	// deny refuses every call.
	deny error
}

// newTestServer serves IAM and STS to who calls as user ann.
func newTestServer(t *testing.T) *fixture {
	t.Helper()
	key, _ := identity.NewSealKey()
	f := &fixture{ids: identity.New(store.New(memory.New()), identity.Options{Key: key})}
	h := controlapi.New(controlapi.Options{
		Log: slog.New(slog.DiscardHandler), Services: []controlapi.Service{iamapi.IAM(f.ids), iamapi.STS()},
		Audit: func(e controlapi.Entry) { f.audit = append(f.audit, e) },
		Authorize: func(_ *http.Request, body func() ([]byte, error), a controlapi.Access) (controlapi.Caller, error) {
			f.asked = append(f.asked, a)
			_, err := body()
			return controlapi.Caller{ARN: "arn:aws:iam::123456789012:user/staff/ann", Account: "123456789012", UserID: "AIDAANN", AccessKeyID: "AKIAANN"}, errors.Join(err, f.deny)
		},
	})
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	f.url = srv.URL
	return f
}

func (f *fixture) iam() *iam.Client {
	return iam.New(iam.Options{Region: "us-east-1", BaseEndpoint: aws.String(f.url), Credentials: credentials.NewStaticCredentialsProvider("AKIAANN", "s", ""), RetryMaxAttempts: 1})
}

func (f *fixture) sts() *sts.Client {
	return sts.New(sts.Options{Region: "eu-west-1", BaseEndpoint: aws.String(f.url), Credentials: credentials.NewStaticCredentialsProvider("AKIAANN", "s", ""), RetryMaxAttempts: 1})
}

func codeOf(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}

const (
	document = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:*","Resource":"*"}]}`
	trust    = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}`
)

// A user's life as the SDK leads it: every answer and every error in the SDK's own types.
func TestUsersThroughSDK(t *testing.T) {
	f := newTestServer(t)
	c, ctx := f.iam(), t.Context()
	bob := aws.String("bob")
	made, err := c.CreateUser(ctx, &iam.CreateUserInput{UserName: bob, Path: aws.String("/staff/"), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("a & b")}}})
	if err != nil {
		t.Fatal(err)
	}
	if u := made.User; *u.Arn != "arn:aws:iam::123456789012:user/staff/bob" || *u.Path != "/staff/" || u.CreateDate.IsZero() || len(u.Tags) != 1 || *u.Tags[0].Value != "a & b" {
		t.Errorf("got %+v", u)
	}
	if _, err := c.CreateUser(ctx, &iam.CreateUserInput{UserName: bob}); !isA[*types.EntityAlreadyExistsException](err) {
		t.Errorf("twice: got %v", err)
	}
	if _, err := c.GetUser(ctx, &iam.GetUserInput{UserName: aws.String("nobody")}); !isA[*types.NoSuchEntityException](err) {
		t.Errorf("nobody: got %v", err)
	}
	// Without a name the caller is meant.
	if _, err := c.GetUser(ctx, &iam.GetUserInput{}); err == nil || !strings.Contains(err.Error(), "The user with name ann cannot be found.") {
		t.Errorf("oneself: got %v", err)
	}
	if last := f.asked[len(f.asked)-1]; last.Resource != "" || last.Action != "iam:GetUser" {
		t.Errorf("asked %+v", last)
	}
	key, err := c.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: bob})
	if err != nil || len(*key.AccessKey.SecretAccessKey) != 40 || len(*key.AccessKey.AccessKeyId) != 20 || key.AccessKey.Status != types.StatusTypeActive {
		t.Fatalf("got %+v, %v", key, err)
	}
	if last := f.asked[len(f.asked)-1]; last.Resource != "arn:aws:iam::123456789012:user/staff/bob" {
		t.Errorf("asked %+v", last)
	}
	if _, err := c.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: bob}); err != nil {
		t.Error(err)
	}
	if _, err := c.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: bob}); !isA[*types.LimitExceededException](err) {
		t.Errorf("a third key: got %v", err)
	}
	if _, err := c.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: bob, AccessKeyId: key.AccessKey.AccessKeyId, Status: types.StatusTypeInactive}); err != nil {
		t.Error(err)
	}
	keys, err := c.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: bob})
	if err != nil || len(keys.AccessKeyMetadata) != 2 || keys.AccessKeyMetadata[0].Status != types.StatusTypeInactive || *keys.AccessKeyMetadata[1].UserName != "bob" {
		t.Errorf("got %+v, %v", keys, err)
	}
	used, err := c.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: key.AccessKey.AccessKeyId})
	if err != nil || *used.UserName != "bob" || used.AccessKeyLastUsed.LastUsedDate != nil || *used.AccessKeyLastUsed.ServiceName != "N/A" {
		t.Errorf("got %+v, %v", used, err)
	}
	f.ids.Used(*key.AccessKey.AccessKeyId, "lambda", "eu-west-1", *keys.AccessKeyMetadata[0].CreateDate)
	used, err = c.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: key.AccessKey.AccessKeyId})
	if err != nil || !used.AccessKeyLastUsed.LastUsedDate.Equal(*keys.AccessKeyMetadata[0].CreateDate) || *used.AccessKeyLastUsed.ServiceName != "lambda" {
		t.Errorf("got %+v, %v", used, err)
	}
	if _, err := c.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: bob, PolicyName: aws.String("p"), PolicyDocument: aws.String(document)}); err != nil {
		t.Error(err)
	}
	if _, err := c.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: bob, PolicyName: aws.String("q"), PolicyDocument: aws.String("{}")}); !isA[*types.MalformedPolicyDocumentException](err) {
		t.Errorf("no policy: got %v", err)
	}
	policy, err := c.GetUserPolicy(ctx, &iam.GetUserPolicyInput{UserName: bob, PolicyName: aws.String("p")})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := url.PathUnescape(*policy.PolicyDocument); err != nil || text != document {
		t.Errorf("got %s, %v", text, err)
	}
	names, err := c.ListUserPolicies(ctx, &iam.ListUserPoliciesInput{UserName: bob})
	if err != nil || len(names.PolicyNames) != 1 || names.PolicyNames[0] != "p" || names.IsTruncated {
		t.Errorf("got %+v, %v", names, err)
	}
	if attached, err := c.ListAttachedUserPolicies(ctx, &iam.ListAttachedUserPoliciesInput{UserName: bob}); err != nil || len(attached.AttachedPolicies) != 0 {
		t.Errorf("got %+v, %v", attached, err)
	}
	if _, err := c.DeleteUser(ctx, &iam.DeleteUserInput{UserName: bob}); !isA[*types.DeleteConflictException](err) {
		t.Errorf("got %v", err)
	}
	for _, k := range keys.AccessKeyMetadata {
		if _, err := c.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: bob, AccessKeyId: k.AccessKeyId}); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: bob, PolicyName: aws.String("p")}); err != nil {
		t.Error(err)
	}
	if _, err := c.DeleteUser(ctx, &iam.DeleteUserInput{UserName: bob}); err != nil {
		t.Error(err)
	}
	for _, e := range f.audit {
		if strings.Contains(e.Resource+e.Error, *key.AccessKey.SecretAccessKey) || e.Caller.AccessKeyID != "AKIAANN" {
			t.Errorf("audited %+v", e)
		}
	}
	if n := len(f.audit); n != 13 {
		t.Errorf("audited %d calls", n)
	}
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func TestPagesThroughSDK(t *testing.T) {
	f := newTestServer(t)
	want := []string{"a.a", "Ab", "b", "c", "d"}
	for _, name := range want {
		if _, err := f.ids.CreateUser(t.Context(), identity.NewUser{UserName: name, Path: "/p/"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.ids.CreateUser(t.Context(), identity.NewUser{UserName: "elsewhere"}); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	pages := 0
	p := iam.NewListUsersPaginator(f.iam(), &iam.ListUsersInput{MaxItems: aws.Int32(2), PathPrefix: aws.String("/p/")})
	for p.HasMorePages() {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		pages++
		for _, u := range page.Users {
			got[*u.UserName] = true
		}
	}
	if len(got) != len(want) || pages != 3 {
		t.Errorf("got %v in %d pages", got, pages)
	}
	for name, in := range map[string]*iam.ListUsersInput{"a bad marker": {Marker: aws.String("%")}, "too many": {MaxItems: aws.Int32(1001)}} {
		if _, err := f.iam().ListUsers(t.Context(), in); codeOf(err) != "ValidationError" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// What Terraform's aws_iam_role and CDK's roles do, and what they expect to read.
func TestRolesThroughSDK(t *testing.T) {
	f := newTestServer(t)
	c, ctx := f.iam(), t.Context()
	r := aws.String("app")
	made, err := c.CreateRole(ctx, &iam.CreateRoleInput{RoleName: r, AssumeRolePolicyDocument: aws.String(trust), Path: aws.String("/"), MaxSessionDuration: aws.Int32(7200), Description: aws.String("d"), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("")}}})
	if err != nil || *made.Role.Arn != "arn:aws:iam::123456789012:role/app" {
		t.Fatalf("got %+v, %v", made, err)
	}
	const managed = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
	_, err1 := c.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: r, PolicyArn: aws.String(managed)})
	_, err2 := c.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: r, PolicyName: aws.String("p"), PolicyDocument: aws.String(document)})
	_, err3 := c.TagRole(ctx, &iam.TagRoleInput{RoleName: r, Tags: []types.Tag{{Key: aws.String("b"), Value: aws.String("2")}}})
	_, err4 := c.UntagRole(ctx, &iam.UntagRoleInput{RoleName: r, TagKeys: []string{"a"}})
	_, err5 := c.UpdateRole(ctx, &iam.UpdateRoleInput{RoleName: r, Description: aws.String("e")})
	_, err6 := c.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: r, PermissionsBoundary: aws.String(managed)})
	_, err7 := c.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: r, PolicyDocument: aws.String(trust)})
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7); err != nil {
		t.Fatal(err)
	}
	got, err := c.GetRole(ctx, &iam.GetRoleInput{RoleName: r})
	if err != nil {
		t.Fatal(err)
	}
	role := got.Role
	text, _ := url.PathUnescape(*role.AssumeRolePolicyDocument)
	if text != trust || *role.Description != "e" || *role.MaxSessionDuration != 7200 || len(role.Tags) != 1 || *role.PermissionsBoundary.PermissionsBoundaryArn != managed || role.RoleLastUsed == nil {
		t.Errorf("got %+v", role)
	}
	attached, err := c.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: r})
	if err != nil || len(attached.AttachedPolicies) != 1 || *attached.AttachedPolicies[0].PolicyName != "AWSLambdaBasicExecutionRole" {
		t.Errorf("got %+v, %v", attached, err)
	}
	if tags, err := c.ListRoleTags(ctx, &iam.ListRoleTagsInput{RoleName: r}); err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Value != "2" {
		t.Errorf("got %+v, %v", tags, err)
	}
	policy, err := c.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: r, PolicyName: aws.String("p")})
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := url.PathUnescape(*policy.PolicyDocument); text != document {
		t.Errorf("got %s", text)
	}
	if profiles, err := c.ListInstanceProfilesForRole(ctx, &iam.ListInstanceProfilesForRoleInput{RoleName: r}); err != nil || profiles.InstanceProfiles == nil && len(profiles.InstanceProfiles) > 0 {
		t.Errorf("got %+v, %v", profiles, err)
	}
	if roles, err := c.ListRoles(ctx, &iam.ListRolesInput{}); err != nil || len(roles.Roles) != 1 {
		t.Errorf("got %+v, %v", roles, err)
	}
	if _, err := c.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: r}); !isA[*types.DeleteConflictException](err) {
		t.Errorf("got %v", err)
	}
	_, err1 = c.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: r, PolicyArn: aws.String(managed)})
	_, err2 = c.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: r, PolicyName: aws.String("p")})
	_, err3 = c.DeleteRolePermissionsBoundary(ctx, &iam.DeleteRolePermissionsBoundaryInput{RoleName: r})
	_, err4 = c.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: r})
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	if _, err := c.GetRole(ctx, &iam.GetRoleInput{RoleName: r}); !isA[*types.NoSuchEntityException](err) {
		t.Errorf("got %v", err)
	}
}

// What Terraform's aws_iam_policy and aws_iam_role_policy_attachment do, and what they expect to read.
func TestPoliciesThroughSDK(t *testing.T) {
	f := newTestServer(t)
	c, ctx := f.iam(), t.Context()
	made, err := c.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("push"), Path: aws.String("/app/"), Description: aws.String("d"), PolicyDocument: aws.String(document), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}})
	if err != nil {
		t.Fatal(err)
	}
	arn := made.Policy.Arn
	if p := made.Policy; *arn != "arn:aws:iam::123456789012:policy/app/push" || *p.DefaultVersionId != "v1" || *p.AttachmentCount != 0 || !p.IsAttachable || len(p.Tags) != 1 {
		t.Errorf("got %+v", p)
	}
	if last := f.asked[len(f.asked)-1]; last.Action != "iam:CreatePolicy" || last.Resource != *arn {
		t.Errorf("asked %+v", last)
	}
	if _, err := c.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("Push"), PolicyDocument: aws.String(document)}); !isA[*types.EntityAlreadyExistsException](err) {
		t.Errorf("twice: got %v", err)
	}
	if _, err := c.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("unused"), PolicyDocument: aws.String(document)}); err != nil {
		t.Error(err)
	}
	if _, err := c.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("app"), AssumeRolePolicyDocument: aws.String(trust), PermissionsBoundary: arn}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: aws.String("app"), PolicyArn: arn}); err != nil {
		t.Fatal(err)
	}
	got, err := c.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: arn})
	if err != nil || *got.Policy.AttachmentCount != 1 || *got.Policy.PermissionsBoundaryUsageCount != 1 || *got.Policy.Description != "d" {
		t.Errorf("got %+v, %v", got, err)
	}
	second, err := c.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: aws.String(document + " "), SetAsDefault: true})
	if err != nil || *second.PolicyVersion.VersionId != "v2" || !second.PolicyVersion.IsDefaultVersion {
		t.Errorf("got %+v, %v", second, err)
	}
	version, err := c.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v2")})
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := url.PathUnescape(*version.PolicyVersion.Document); text != document+" " || !version.PolicyVersion.IsDefaultVersion {
		t.Errorf("got %q, %+v", text, version.PolicyVersion)
	}
	versions, err := c.ListPolicyVersions(ctx, &iam.ListPolicyVersionsInput{PolicyArn: arn})
	if err != nil || len(versions.Versions) != 2 || *versions.Versions[0].VersionId != "v2" || versions.Versions[1].IsDefaultVersion {
		t.Errorf("got %+v, %v", versions, err)
	}
	entities, err := c.ListEntitiesForPolicy(ctx, &iam.ListEntitiesForPolicyInput{PolicyArn: arn})
	if err != nil || len(entities.PolicyRoles) != 1 || *entities.PolicyRoles[0].RoleName != "app" || len(entities.PolicyUsers) != 0 {
		t.Errorf("got %+v, %v", entities, err)
	}
	for name, tt := range map[string]struct {
		in   iam.ListPoliciesInput
		want int
	}{
		"all":        {iam.ListPoliciesInput{}, 2},
		"own":        {iam.ListPoliciesInput{Scope: types.PolicyScopeTypeLocal}, 2},
		"AWS's":      {iam.ListPoliciesInput{Scope: types.PolicyScopeTypeAws}, 0},
		"attached":   {iam.ListPoliciesInput{OnlyAttached: true}, 1},
		"boundaries": {iam.ListPoliciesInput{PolicyUsageFilter: types.PolicyUsageTypePermissionsBoundary}, 1},
		"by path":    {iam.ListPoliciesInput{PathPrefix: aws.String("/app/")}, 1},
	} {
		if list, err := c.ListPolicies(ctx, &tt.in); err != nil || len(list.Policies) != tt.want {
			t.Errorf("%s: got %+v, %v; want %d", name, list, err, tt.want)
		}
	}
	_, err1 := c.TagPolicy(ctx, &iam.TagPolicyInput{PolicyArn: arn, Tags: []types.Tag{{Key: aws.String("c"), Value: aws.String("d")}}})
	_, err2 := c.UntagPolicy(ctx, &iam.UntagPolicyInput{PolicyArn: arn, TagKeys: []string{"a"}})
	tags, err3 := c.ListPolicyTags(ctx, &iam.ListPolicyTagsInput{PolicyArn: arn})
	if err := errors.Join(err1, err2, err3); err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Value != "d" {
		t.Errorf("got %+v, %v", tags, err)
	}
	if _, err := c.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: arn}); !isA[*types.DeleteConflictException](err) {
		t.Errorf("attached: got %v", err)
	}
	_, err1 = c.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: aws.String("app"), PolicyArn: arn})
	_, err2 = c.SetDefaultPolicyVersion(ctx, &iam.SetDefaultPolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v1")})
	_, err3 = c.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v2")})
	_, err4 := c.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: arn})
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	if _, err := c.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: arn}); !isA[*types.NoSuchEntityException](err) {
		t.Errorf("got %v", err)
	}
}

func TestSTS(t *testing.T) {
	f := newTestServer(t)
	who, err := f.sts().GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || *who.Arn != "arn:aws:iam::123456789012:user/staff/ann" || *who.UserId != "AIDAANN" || *who.Account != "123456789012" {
		t.Errorf("got %+v, %v", who, err)
	}
	if f.asked[0].Action != "" {
		t.Errorf("asked for %s", f.asked[0].Action)
	}
	_, err = f.sts().AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::123456789012:role/app"), RoleSessionName: aws.String("session")})
	if codeOf(err) != "InvalidAction" || !strings.Contains(err.Error(), "temporary credentials") {
		t.Errorf("got %v", err)
	}
}

// Errors that are none of identity's have the codes of the query protocol.
func TestErrorCodes(t *testing.T) {
	for kind, want := range map[apigw.Kind]string{
		apigw.KindAccessDenied: "AccessDenied", apigw.KindInvalidSignature: "SignatureDoesNotMatch", apigw.KindUnrecognizedClient: "InvalidClientTokenId",
		apigw.KindTooManyRequests: "TooManyRequestsException", apigw.KindMissingAuthenticationToken: "MissingAuthenticationToken", apigw.KindInternal: "ServiceFailure",
	} {
		f := newTestServer(t)
		f.deny = &apigw.Error{Kind: kind}
		_, err := f.iam().ListUsers(context.Background(), &iam.ListUsersInput{})
		if codeOf(err) != want {
			t.Errorf("kind %d: got %v, want %s", kind, err, want)
		}
	}
}

// post sends a form that claims to be signed for a service.
func post(t *testing.T, f *fixture, service, form string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.url+"/", strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAANN/20240312/us-east-1/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// Answers to the letter, for the parsers of other SDKs: an empty list is there, what has no result has no such element.
func TestXML(t *testing.T) {
	f := newTestServer(t)
	if _, err := f.ids.CreateRole(t.Context(), identity.NewRole{RoleName: "r", AssumeRolePolicyDocument: trust}); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		service, form string
		status        int
		want          string // without the request's ID
	}{
		"empty list": {"iam", "Action=ListUsers", 200, `<ListUsersResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListUsersResult><Users></Users><IsTruncated>false</IsTruncated></ListUsersResult><ResponseMetadata><RequestId></RequestId></ResponseMetadata></ListUsersResponse>`},
		"no result":  {"iam", "Action=TagRole&RoleName=r", 200, `<TagRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ResponseMetadata><RequestId></RequestId></ResponseMetadata></TagRoleResponse>`},
		"an error":   {"iam", "Action=GetRole&RoleName=x", 404, `<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>The role with name x cannot be found.</Message></Error><RequestId></RequestId></ErrorResponse>`},
		"unknown":    {"iam", "Action=CreateGroup", 400, `<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>InvalidAction</Code><Message>Could not find operation CreateGroup</Message></Error><RequestId></RequestId></ErrorResponse>`},
		"no form":    {"sts", "Action=%zz", 400, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>ValidationError</Code><Message>The request&#39;s body is not a form</Message></Error><RequestId></RequestId></ErrorResponse>`},
		"no number":  {"iam", "Action=ListRoles&MaxItems=x", 400, `<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>ValidationError</Code><Message>MaxItems must be an integer, not &#34;x&#34;</Message></Error><RequestId></RequestId></ErrorResponse>`},
		"same tags":  {"iam", "Action=TagRole&RoleName=r&Tags.member.1.Key=a&Tags.member.2.Key=a", 400, `<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>InvalidInput</Code><Message>Duplicate tag keys found. Please note that Tag keys are case insensitive.</Message></Error><RequestId></RequestId></ErrorResponse>`},
	} {
		status, body := post(t, f, test.service, test.form)
		if before, rest, ok := strings.Cut(body, "<RequestId>"); ok {
			_, after, _ := strings.Cut(rest, "</RequestId>")
			body = before + "<RequestId></RequestId>" + after
		}
		if status != test.status || body != test.want {
			t.Errorf("%s: got %d %s\nwant %d %s", name, status, body, test.status, test.want)
		}
	}
}

// No form brings the service down, and what it says of one is XML.
func FuzzForm(f *testing.F) {
	f.Add("Action=CreateUser&UserName=a&Tags.member.1.Key=k")
	f.Add("Action=ListRoles&MaxItems=9999999999&Marker=!")
	f.Add("Action=PutUserPolicy&UserName=a&PolicyName=p&PolicyDocument=%7B%7D")
	f.Add("Action=CreateRole&RoleName=%00&AssumeRolePolicyDocument={}")
	f.Add("Action=CreatePolicy&PolicyName=p&PolicyDocument=%7B%22Statement%22%3A%5B%5D%7D")
	f.Add("Action=DeletePolicyVersion&PolicyArn=arn:aws:iam::123456789012:policy/p&VersionId=v1")
	key, _ := identity.NewSealKey()
	f.Fuzz(func(t *testing.T, form string) {
		ids := identity.New(store.New(memory.New()), identity.Options{Key: key})
		h := controlapi.New(controlapi.Options{Log: slog.New(slog.DiscardHandler), Services: []controlapi.Service{iamapi.IAM(ids)}})
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form))
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=A/20240312/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 || w.Header().Get("Content-Type") != "text/xml" || !strings.Contains(w.Body.String(), "<RequestId>") {
			t.Errorf("%q: got %d %s", form, w.Code, w.Body)
		}
	})
}

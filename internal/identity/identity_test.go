package identity_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/iampolicy"
	"cleat/internal/identity"
	"cleat/internal/store"
	"cleat/internal/store/memory"
)

func newTestIdentities(t *testing.T) (*identity.Identities, *store.Store) {
	t.Helper()
	key, _ := identity.NewSealKey()
	s := store.New(memory.New())
	return identity.New(s, identity.Options{Key: key, Reserved: func(name string) bool { return name == "configured" }}), s
}

// codeOf is an error's code; "" is none.
func codeOf(err error) identity.Code {
	code, _ := errors.AsType[identity.Code](err)
	return code
}

func mustUser(t *testing.T, i *identity.Identities, name string) {
	t.Helper()
	if _, err := i.CreateUser(t.Context(), identity.NewUser{UserName: name}); err != nil {
		t.Fatal(err)
	}
}

const allowAll = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`

func TestCreateUserRules(t *testing.T) {
	i, _ := newTestIdentities(t)
	mustUser(t, i, "ann@example.com")
	for name, test := range map[string]struct {
		in   identity.NewUser
		code identity.Code
	}{
		"fine":            {identity.NewUser{UserName: "bob", Path: "/staff/", Tags: map[string]string{"team": "a"}}, ""},
		"same name":       {identity.NewUser{UserName: "ann@example.com"}, identity.EntityAlreadyExists},
		"another case":    {identity.NewUser{UserName: "ANN@example.com"}, identity.EntityAlreadyExists},
		"in cleat.yaml":   {identity.NewUser{UserName: "configured"}, identity.EntityAlreadyExists},
		"no name":         {identity.NewUser{}, identity.ValidationError},
		"a slash":         {identity.NewUser{UserName: "a/b"}, identity.ValidationError},
		"long":            {identity.NewUser{UserName: strings.Repeat("x", 65)}, identity.ValidationError},
		"path":            {identity.NewUser{UserName: "eve", Path: "staff"}, identity.ValidationError},
		"AWS's own tag":   {identity.NewUser{UserName: "eve", Tags: map[string]string{"aws:x": "y"}}, identity.InvalidInput},
		"names that look": {identity.NewUser{UserName: "ann=aexample=dcom"}, ""},
	} {
		u, err := i.CreateUser(t.Context(), test.in)
		if codeOf(err) != test.code || (err == nil) != (test.code == "") {
			t.Errorf("%s: got %v, want code %q", name, err, test.code)
			continue
		}
		if err == nil && (len(u.UserID) != 21 || !strings.HasPrefix(u.UserID, "AIDA") || !strings.HasSuffix(i.UserARN(u), ":user"+u.Path+u.UserName)) {
			t.Errorf("%s: got %+v, %s", name, u, i.UserARN(u))
		}
	}
}

func TestDeleteUserConflicts(t *testing.T) {
	i, _ := newTestIdentities(t)
	ctx := t.Context()
	mustUser(t, i, "ann")
	key, _, err := i.CreateAccessKey(ctx, "ann")
	if err != nil {
		t.Fatal(err)
	}
	if err := i.PutUserPolicy(ctx, "ann", "p", allowAll); err != nil {
		t.Fatal(err)
	}
	if err := i.DeleteUser(ctx, "ann"); codeOf(err) != identity.DeleteConflict {
		t.Errorf("with a key: got %v", err)
	}
	if err := i.DeleteAccessKey(ctx, "ann", key.AccessKeyID); err != nil {
		t.Fatal(err)
	}
	if err := i.DeleteUser(ctx, "ann"); codeOf(err) != identity.DeleteConflict {
		t.Errorf("with a policy: got %v", err)
	}
	if err := i.DeleteUserPolicy(ctx, "ann", "p"); err != nil {
		t.Fatal(err)
	}
	if err := i.DeleteUser(ctx, "ann"); err != nil {
		t.Errorf("got %v", err)
	}
	if err := i.DeleteUser(ctx, "ann"); codeOf(err) != identity.NoSuchEntity {
		t.Errorf("again: got %v", err)
	}
}

// Keys are rotated with overlap: two at once, and no third, however many ask at once.
func TestAccessKeyRotation(t *testing.T) {
	i, _ := newTestIdentities(t)
	ctx := t.Context()
	mustUser(t, i, "ann")
	var wait sync.WaitGroup
	var mu sync.Mutex
	made := map[string]awsapi.Credentials{}
	for range 4 {
		wait.Go(func() {
			_, c, err := i.CreateAccessKey(ctx, "ann")
			if code := codeOf(err); err != nil && code != identity.LimitExceeded && code != identity.ConcurrentModification {
				t.Error(err)
			}
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				made[c.AccessKeyID] = c
			}
		})
	}
	wait.Wait()
	if len(made) != 2 {
		t.Fatalf("got %d keys", len(made))
	}
	if _, _, err := i.CreateAccessKey(ctx, "ann"); codeOf(err) != identity.LimitExceeded {
		t.Errorf("a third: got %v", err)
	}
	signers, err := i.Signers(ctx)
	if err != nil || len(signers) != 1 || len(signers[0].Keys) != 2 {
		t.Fatalf("got %+v, %v", signers, err)
	}
	for _, k := range signers[0].Keys {
		if made[k.AccessKeyID] != k.Credentials || k.Disabled {
			t.Errorf("got %v, want %v", k, made[k.AccessKeyID])
		}
	}
	old := signers[0].Keys[0].AccessKeyID
	if err := i.UpdateAccessKey(ctx, "ann", old, identity.StatusInactive); err != nil {
		t.Fatal(err)
	}
	if signers, _ = i.Signers(ctx); !signers[0].Keys[0].Disabled || signers[0].Keys[1].Disabled {
		t.Errorf("got %+v", signers)
	}
	if err := i.UpdateAccessKey(ctx, "ann", old, "Off"); codeOf(err) != identity.ValidationError {
		t.Errorf("got %v", err)
	}
	if err := i.DeleteAccessKey(ctx, "ann", "AKIANOBODY"); codeOf(err) != identity.NoSuchEntity {
		t.Errorf("got %v", err)
	}
	if owner, err := i.KeyOwner(ctx, old); err != nil || owner.UserName != "ann" {
		t.Errorf("got %v, %v", owner, err)
	}
}

func TestUserPolicies(t *testing.T) {
	i, _ := newTestIdentities(t)
	ctx := t.Context()
	mustUser(t, i, "ann")
	document := `{ "Version": "2012-10-17", "Statement": [ {"Effect":"Allow","Action":"lambda:*","Resource":"*"} ] }`
	if err := i.PutUserPolicy(ctx, "ann", "p", document); err != nil {
		t.Fatal(err)
	}
	if got, err := i.UserPolicy(ctx, "ann", "p"); got != document || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	if err := i.PutUserPolicy(ctx, "ann", "q", `{"Statement":{"Effect":"Maybe"}}`); codeOf(err) != identity.MalformedPolicyDocument {
		t.Errorf("got %v", err)
	}
	if err := i.PutUserPolicy(ctx, "eve", "q", document); codeOf(err) != identity.NoSuchEntity {
		t.Errorf("got %v", err)
	}
	pad := strings.Repeat(" ", 60<<10)
	for n := range 3 {
		if err := i.PutUserPolicy(ctx, "ann", fmt.Sprint("large", n), document+pad); n == 2 && codeOf(err) != identity.LimitExceeded || n < 2 && err != nil {
			t.Errorf("%d: got %v", n, err)
		}
	}
}

// A secret is bound to its key's ID and to the sealing key, and rests nowhere in the open.
func TestSecretsAreSealed(t *testing.T) {
	i, s := newTestIdentities(t)
	ctx := t.Context()
	mustUser(t, i, "ann")
	mustUser(t, i, "bob")
	_, ann, err := i.CreateAccessKey(ctx, "ann")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = i.CreateAccessKey(ctx, "bob"); err != nil {
		t.Fatal(err)
	}
	users, err := store.List(ctx, s, store.Users())
	if err != nil || len(users) != 2 {
		t.Fatal(users, err)
	}
	if text := fmt.Sprintf("%s", users); strings.Contains(text, ann.SecretAccessKey) {
		t.Error("the secret is in the store")
	}

	other, _ := identity.NewSealKey()
	_, err = identity.New(s, identity.Options{Key: other}).Signers(ctx)
	if err == nil || !strings.Contains(err.Error(), "sealing key") || strings.Contains(err.Error(), ann.SecretAccessKey) {
		t.Errorf("another sealing key: got %v", err)
	}

	users[0].AccessKeys[0].Sealed, users[1].AccessKeys[0].Sealed = users[1].AccessKeys[0].Sealed, users[0].AccessKeys[0].Sealed
	var b store.Batch
	store.Put(&b, store.Users().Key("ann"), users[0], store.Expect{})
	if _, err := s.Commit(ctx, &b); err != nil {
		t.Fatal(err)
	}
	if _, err := i.Signers(ctx); err == nil {
		t.Error("a secret opens under another key's ID")
	}
}

func TestFirstAdmin(t *testing.T) {
	i, s := newTestIdentities(t)
	ctx := t.Context()
	broken := errors.New("broken pipe")
	if _, err := i.FirstAdmin(ctx, func(awsapi.Credentials) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if n, err := identity.Sealed(ctx, s); n != 0 || err != nil {
		t.Fatalf("a key was kept that nobody has seen: %d, %v", n, err)
	}
	var shown []awsapi.Credentials
	show := func(c awsapi.Credentials) error {
		if n, _ := identity.Sealed(ctx, s); n != len(shown) {
			t.Errorf("the key was kept before it was shown")
		}
		shown = append(shown, c)
		return nil
	}
	for range 2 {
		if _, err := i.FirstAdmin(ctx, show); err != nil {
			t.Fatal(err)
		}
	}
	signers, err := i.Signers(ctx)
	if err != nil || len(shown) != 1 || len(signers) != 1 || signers[0].Keys[0].Credentials != shown[0] || len(signers[0].Policies) != 1 {
		t.Fatalf("shown %v, got %+v, %v", shown, signers, err)
	}
	if err := i.ResetAdmin(ctx, func(c awsapi.Credentials) error { shown = append(shown, c); return nil }); err != nil {
		t.Fatal(err)
	}
	if signers, err = i.Signers(ctx); err != nil || len(signers[0].Keys) != 1 || signers[0].Keys[0].Credentials != shown[1] {
		t.Errorf("after the reset: %+v, %v", signers, err)
	}
}

func TestReadyMadePolicies(t *testing.T) {
	for name, test := range map[string]struct{ allowed, refused []string }{
		identity.PolicyAdmin:    {[]string{"iam:CreateUser", "apigateway:DELETE", "execute-api:ManageConnections"}, nil},
		identity.PolicyReadOnly: {[]string{"apigateway:GET", "lambda:ListFunctions", "iam:GetUser", "cleat:ReadMetrics"}, []string{"apigateway:POST", "lambda:InvokeFunction", "iam:CreateAccessKey", "execute-api:ManageConnections"}},
		identity.PolicyPushOnly: {[]string{"execute-api:ManageConnections"}, []string{"execute-api:Invoke", "apigateway:GET"}},
		identity.PolicyDeploy:   {[]string{"apigateway:PATCH", "lambda:CreateFunction", "iam:CreateRole", "iam:PassRole", "iam:PutRolePolicy"}, []string{"iam:CreateUser", "iam:CreateAccessKey", "iam:PutUserPolicy", "execute-api:ManageConnections"}},
	} {
		p, err := iampolicy.Parse([]byte(identity.ReadyMade[name]), iampolicy.UseIdentity)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		may := func(action string) bool {
			return iampolicy.Evaluate([]*iampolicy.Policy{p}, &iampolicy.Request{Action: action, Resources: []string{"arn:aws:x:us-east-1:1:y/POST/@connections/z"}}).Decision == iampolicy.Allow
		}
		for _, a := range test.allowed {
			if !may(a) {
				t.Errorf("%s does not allow %s", name, a)
			}
		}
		for _, a := range test.refused {
			if may(a) {
				t.Errorf("%s allows %s", name, a)
			}
		}
	}
	if len(identity.ReadyMade) != 4 {
		t.Error("a ready-made policy has no test")
	}
}

// What is told to have changed has changed, for those who read it then.
func TestChangedComesAfter(t *testing.T) {
	s := store.New(memory.New())
	key, _ := identity.NewSealKey()
	var i *identity.Identities
	calls := 0
	i = identity.New(s, identity.Options{Key: key, Changed: func(ctx context.Context) {
		calls++
		if users, err := i.ListUsers(ctx); err != nil || len(users) != 1 {
			t.Errorf("got %v, %v", users, err)
		}
	}})
	mustUser(t, i, "ann")
	if _, _, err := i.CreateAccessKey(t.Context(), "ann"); err != nil || calls != 2 {
		t.Errorf("got %d calls, %v", calls, err)
	}
}

func TestErrorStatuses(t *testing.T) {
	for code, kind := range map[identity.Code]apigw.Kind{
		identity.NoSuchEntity: apigw.KindNotFound, identity.DeleteConflict: apigw.KindConflict, identity.LimitExceeded: apigw.KindConflict,
		identity.MalformedPolicyDocument: apigw.KindBadRequest,
	} {
		if err := code.Errorf("no %s", "way"); apigw.KindOf(err) != kind || codeOf(err) != code {
			t.Errorf("%s: got kind %d, %v", code, apigw.KindOf(err), err)
		}
	}
}

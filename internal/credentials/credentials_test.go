package credentials_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/credentials"
)

var now = time.Date(2024, 3, 12, 20, 57, 22, 0, time.UTC)

func key(id, secret string) credentials.AccessKey {
	return credentials.AccessKey{Credentials: awsapi.Credentials{AccessKeyID: id, SecretAccessKey: secret}}
}

func newTestSet(t *testing.T) *credentials.Set {
	t.Helper()
	old := key("AKIAOLD", "s2")
	old.Disabled = true
	temporary := key("ASIATEMP", "s3")
	temporary.SessionToken, temporary.Expires = "token", now.Add(time.Hour)
	s, err := credentials.NewSet([]credentials.User{
		{Name: "ann", Keys: []credentials.AccessKey{key("AKIAANN", "s1"), old, temporary}},
		{Name: "bob", Account: "111122223333", ID: "AIDABOB", ARN: "arn:aws:iam::111122223333:user/staff/bob", Keys: []credentials.AccessKey{key("AKIABOB", "s4")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Spec management-api §4: who is not known, and who is no longer.
func TestLookup(t *testing.T) {
	s := newTestSet(t)
	for name, test := range map[string]struct {
		id, token string
		at        time.Time
		user      string
		kind      apigw.Kind
	}{
		"user":               {"AKIAANN", "", now, "ann", 0},
		"another user":       {"AKIABOB", "", now, "bob", 0},
		"temporary":          {"ASIATEMP", "token", now, "ann", 0},
		"unknown":            {"AKIAEVE", "", now, "", apigw.KindUnrecognizedClient},
		"no key":             {"", "", now, "", apigw.KindUnrecognizedClient},
		"disabled":           {"AKIAOLD", "", now, "", apigw.KindUnrecognizedClient},
		"token missing":      {"ASIATEMP", "", now, "", apigw.KindUnrecognizedClient},
		"another token":      {"ASIATEMP", "tokem", now, "", apigw.KindUnrecognizedClient},
		"token of a user's":  {"AKIAANN", "token", now, "", apigw.KindUnrecognizedClient},
		"expired":            {"ASIATEMP", "token", now.Add(time.Hour), "", apigw.KindExpiredToken},
		"expired, no token":  {"ASIATEMP", "", now.Add(time.Hour), "", apigw.KindUnrecognizedClient},
		"ID in another case": {"akiaann", "", now, "", apigw.KindUnrecognizedClient},
	} {
		u, k, err := s.Lookup(test.id, test.token, test.at)
		switch {
		case test.user == "" && (err == nil || apigw.KindOf(err) != test.kind || u != nil || k != nil):
			t.Errorf("%s: got %v, %v, want kind %d", name, u, err, test.kind)
		case test.user != "" && (err != nil || u.Name != test.user || k.AccessKeyID != test.id):
			t.Errorf("%s: got %v, %v", name, u, err)
		}
	}
	if _, _, err := (*credentials.Set)(nil).Lookup("AKIAANN", "", now); apigw.KindOf(err) != apigw.KindUnrecognizedClient {
		t.Errorf("the nil set: got %v", err)
	}
}

func TestDefaults(t *testing.T) {
	s := newTestSet(t)
	ann, _, err := s.Lookup("AKIAANN", "", now)
	if err != nil {
		t.Fatal(err)
	}
	if ann.ARN != "arn:aws:iam::123456789012:user/ann" || len(ann.ID) != 21 || !strings.HasPrefix(ann.ID, "AIDA") {
		t.Errorf("got %s, %s", ann.ARN, ann.ID)
	}
	again, _, _ := newTestSet(t).Lookup("AKIAANN", "", now)
	if ann.ID != again.ID {
		t.Errorf("the ID changes: %s, %s", ann.ID, again.ID)
	}
	bob, _, _ := s.Lookup("AKIABOB", "", now)
	if bob.ID != "AIDABOB" || bob.ARN != "arn:aws:iam::111122223333:user/staff/bob" {
		t.Errorf("got %s, %s", bob.ARN, bob.ID)
	}
}

func TestNewSetFaults(t *testing.T) {
	_, err := credentials.NewSet([]credentials.User{
		{},
		{Name: "ann", Keys: []credentials.AccessKey{key("AKIA1", "s"), key("", "s"), key("AKIA2", "")}},
		{Name: "bob", Keys: []credentials.AccessKey{key("AKIA1", "t")}},
	})
	want := "a user has no name\nan access key of user ann has no ID or no secret\nan access key of user ann has no ID or no secret\nusers ann and bob have the same access key AKIA1"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Secrets stay out of every kind of text, errors included.
func TestSecretsStayHidden(t *testing.T) {
	c := credentials.NewTemporary()
	k := credentials.AccessKey{Credentials: c}
	u := credentials.User{Name: "ann", Keys: []credentials.AccessKey{k}}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", k, "creds", c)
	for _, text := range []string{fmt.Sprint(k), fmt.Sprintf("%+v", u), fmt.Sprintf("%#v", k), log.String()} {
		if strings.Contains(text, c.SecretAccessKey) || strings.Contains(text, c.SessionToken) {
			t.Errorf("got %s", text)
		}
	}
}

func TestNewTemporary(t *testing.T) {
	a, b := credentials.NewTemporary(), credentials.NewTemporary()
	if a == b || len(a.AccessKeyID) != 20 || len(a.SecretAccessKey) != 40 || !strings.HasPrefix(a.AccessKeyID, "ASIA") || a.SessionToken == "" {
		t.Errorf("got %#v and %#v", a, b)
	}
}

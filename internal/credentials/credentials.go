// Package credentials is who may sign requests: users with their access keys and policies, as one immutable Set. It knows
// neither where users are configured nor what they ask for; package authorizer looks keys up in it and decides. A change
// of users is another Set.
package credentials

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/iampolicy"
)

// User is one who may sign requests. What is left empty of ID and ARN is made of name and account.
type User struct {
	Name     string
	Account  string // empty: awsapi.DefaultAccount
	ID       string // the unique identifier, "AIDA…"
	ARN      string
	Keys     []AccessKey
	Policies []*iampolicy.Policy // without any the user may do nothing
}

// AccessKey is one of a user's keys. Its text shows the key's ID alone.
type AccessKey struct {
	awsapi.Credentials
	Disabled bool
	Expires  time.Time // of temporary credentials; zero: never
}

// LogValue keeps secrets out of logs.
func (k AccessKey) LogValue() slog.Value { return k.Credentials.LogValue() }

// Set is users by their access keys. It is immutable and safe for concurrent use. The nil Set has nobody in it.
type Set struct {
	holders map[string]holder
}

type holder struct {
	user *User
	key  *AccessKey
}

// NewSet returns the set of the given users, which must not be changed any more. It fails where a user has no name, a key
// lacks its ID or its secret, two users have the same ARN, or two keys the same ID.
func NewSet(users []User) (*Set, error) {
	s := &Set{holders: map[string]holder{}}
	var faults []error
	named := map[string]bool{} // by ARN
	for i := range users {
		u := users[i]
		if u.Name == "" {
			faults = append(faults, errors.New("a user has no name"))
			continue
		}
		if u.Account == "" {
			u.Account = awsapi.DefaultAccount
		}
		if u.ID == "" {
			u.ID = uniqueID("AIDA", u.Account+"/"+u.Name)
		}
		if u.ARN == "" {
			u.ARN = "arn:aws:iam::" + u.Account + ":user/" + u.Name
		}
		if named[u.ARN] {
			faults = append(faults, fmt.Errorf("there are two users %s (%s)", u.Name, u.ARN))
			continue
		}
		named[u.ARN] = true
		for j := range u.Keys {
			k := &u.Keys[j]
			switch have, taken := s.holders[k.AccessKeyID]; {
			case k.AccessKeyID == "" || k.SecretAccessKey == "":
				faults = append(faults, fmt.Errorf("an access key of user %s has no ID or no secret", u.Name))
			case taken:
				faults = append(faults, fmt.Errorf("users %s and %s have the same access key %s", have.user.Name, u.Name, k.AccessKeyID))
			default:
				s.holders[k.AccessKeyID] = holder{&u, k}
			}
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return s, nil
}

// uniqueID is an identifier in the shape of IAM's, the same for the same name.
func uniqueID(prefix, name string) string {
	sum := sha256.Sum256([]byte(name))
	return prefix + base32.StdEncoding.EncodeToString(sum[:])[:17]
}

// Lookup returns the user and the key that belong to an access key ID and session token. It fails with an *apigw.Error of
// kind KindUnrecognizedClient when nobody has the key, it is disabled or the token is not its own, and KindExpiredToken
// when it is past its time. Neither says which of the former it was, as AWS does not.
func (s *Set) Lookup(accessKeyID, sessionToken string, now time.Time) (*User, *AccessKey, error) {
	var h holder
	if s != nil {
		h = s.holders[accessKeyID]
	}
	unrecognized := func(format string, args ...any) error {
		return &apigw.Error{Kind: apigw.KindUnrecognizedClient, Err: fmt.Errorf(format, args...)}
	}
	switch {
	case h.key == nil:
		return nil, nil, unrecognized("nobody has access key %.128q", accessKeyID)
	case h.key.Disabled:
		return nil, nil, unrecognized("access key %s of user %s is disabled", accessKeyID, h.user.Name)
	case subtle.ConstantTimeCompare([]byte(h.key.SessionToken), []byte(sessionToken)) != 1:
		return nil, nil, unrecognized("the session token is not that of access key %s of user %s", accessKeyID, h.user.Name)
	case !h.key.Expires.IsZero() && !now.Before(h.key.Expires):
		return nil, nil, &apigw.Error{Kind: apigw.KindExpiredToken, Err: fmt.Errorf("access key %s of user %s expired at %s", accessKeyID, h.user.Name, h.key.Expires.UTC().Format(time.RFC3339))}
	}
	return h.user, h.key, nil
}

// Has tells whether somebody has an access key, disabled ones included.
func (s *Set) Has(accessKeyID string) bool {
	return s != nil && s.holders[accessKeyID].key != nil
}

// NewTemporary returns fresh credentials in the shape of those that a role gives out, with a session token.
func NewTemporary() awsapi.Credentials {
	return awsapi.Credentials{
		AccessKeyID:     "ASIA" + strings.ToUpper(rand.Text()[:16]),
		SecretAccessKey: rand.Text() + rand.Text()[:14],
		SessionToken:    rand.Text() + rand.Text(),
	}
}

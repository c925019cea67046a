package config

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/cfn"
	"cleat/internal/iampolicy"
)

// User is one who may sign requests.
type User struct {
	Name     string
	Account  string // empty: the project's
	Keys     []AccessKey
	Policies []*iampolicy.Policy
	Place    cfn.Place
}

// AccessKey is one of a user's keys. Its text shows the key's ID alone.
type AccessKey struct {
	awsapi.Credentials
	Disabled bool
	Expires  time.Time // zero: never
}

// Users are who may sign requests, and what has to be signed.
type Users struct {
	// List is in the order of cleat.yaml. Empty: cleat.yaml names nobody, and anybody's signature will do.
	List []User
	// Management tells that the management API asks for a signature.
	Management bool
}

var (
	accessKeyID = regexp.MustCompile(`^\w{1,128}$`)
	userName    = regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)
	accountID   = regexp.MustCompile(`^\d{12}$`)
)

// readUsers reads users and managementAuth.
func (s *reader) readUsers() {
	v := s.root.Get("users")
	users := s.Entries(v, "users")
	if v.Is(cfn.Map) && len(users) == 0 {
		s.Faultf(v.Place, "users has nobody in it: leave it out, and any signature will do, or name somebody")
	}
	keys := map[string]string{} // access key IDs with their users
	for _, e := range users {
		s.readUser(e, keys)
	}
	auth := s.root.Get("managementAuth")
	text, ok := s.Text(auth, "managementAuth")
	switch {
	case !ok, text == apigw.AuthorizationNone:
	case text != apigw.AuthorizationIAM:
		s.Faultf(auth.Place, "managementAuth is %q: it must be %s or %s", text, apigw.AuthorizationNone, apigw.AuthorizationIAM)
	case v == nil:
		s.Faultf(auth.Place, "managementAuth: %s needs `users`: those who may call the management API", text)
	default:
		s.node.Users.Management = true
	}
}

func (s *reader) readUser(e cfn.Entry, keys map[string]string) {
	what := "user " + e.Key
	u := User{Name: e.Key, Place: e.Place}
	if !userName.MatchString(e.Key) {
		s.Faultf(e.Place, "%q is not a user's name: 1 to 64 letters, digits and _ + = , . @ -", e.Key)
	}
	if !e.Value.Is(cfn.Map) {
		if !s.broken(e.Value) {
			s.Faultf(e.Place, "%s must be a map with accessKeys and policies, not %s", what, e.Value.Kind)
		}
		return
	}
	s.CheckKeys(e.Value, what, Settings["user"])
	if account, ok := s.Text(e.Value.Get("account"), what+": account"); ok {
		if !accountID.MatchString(account) {
			s.Faultf(e.Value.Get("account").Place, "%s: account %s is not 12 digits; put quotes around one that begins with 0", what, account)
		}
		u.Account = account
	}
	for _, k := range s.listItems(e.Value.Get("accessKeys"), what+": accessKeys") {
		s.readAccessKey(&u, k, keys)
	}
	if len(u.Keys) == 0 && e.Value.Get("accessKeys") == nil {
		s.Faultf(e.Place, "%s has no `accessKeys`: nothing that they sign could be verified", what)
	}
	for _, p := range s.listItems(e.Value.Get("policies"), what+": policies") {
		s.readPolicy(&u, p)
	}
	if e.Value.Get("policies") == nil {
		s.Warnf(e.Place, "%s has no `policies`, and so may do nothing", what)
	}
	s.node.Users.List = append(s.node.Users.List, u)
}

// listItems are the items of a list, or the value itself where it is no list.
func (s *reader) listItems(v *cfn.Value, what string) []*cfn.Value {
	switch {
	case v == nil || v.Kind == cfn.Null:
		return nil
	case v.Is(cfn.List):
		if len(v.Items) == 0 {
			s.Faultf(v.Place, "%s is empty", what)
		}
		return v.Items
	}
	return []*cfn.Value{v}
}

// readAccessKey reads one key. Its faults name the key by its ID, never by its secret.
func (s *reader) readAccessKey(u *User, v *cfn.Value, keys map[string]string) {
	what := "user " + u.Name + ": access key"
	if !v.Is(cfn.Map) {
		if !s.broken(v) {
			s.Faultf(v.At(), "%s must be a map with id and secret, not %s", what, v.Kind)
		}
		return
	}
	s.CheckKeys(v, what, Settings["accessKey"])
	var k AccessKey
	for _, f := range []struct {
		name     string
		into     *string
		required bool
	}{{"id", &k.AccessKeyID, true}, {"secret", &k.SecretAccessKey, true}, {"sessionToken", &k.SessionToken, false}} {
		text, ok := s.Text(v.Get(f.name), what+": "+f.name)
		if missing := !ok || text == ""; f.required && missing && !s.broken(v.Get(f.name)) {
			s.Faultf(v.Place, "%s has no `%s`", what, f.name)
		}
		*f.into = text
	}
	if k.AccessKeyID != "" && !accessKeyID.MatchString(k.AccessKeyID) {
		s.Faultf(v.Get("id").Place, "%s: %q is not an ID: 1 to 128 letters, digits and _", what, k.AccessKeyID)
	}
	if owner, taken := keys[k.AccessKeyID]; taken && k.AccessKeyID != "" {
		s.Faultf(v.Place, "%s %s is user %s's already", what, k.AccessKeyID, owner)
	}
	keys[k.AccessKeyID] = u.Name
	k.Disabled = !s.Flag(v.Get("enabled"), what+" "+k.AccessKeyID+": enabled", true)
	if text, ok := s.Text(v.Get("expires"), what+": expires"); ok {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			s.Faultf(v.Get("expires").Place, "%s %s: expires %q is not a time, such as 2026-01-31T12:00:00Z", what, k.AccessKeyID, text)
		}
		k.Expires = t
	}
	u.Keys = append(u.Keys, k)
}

// readPolicy reads a policy: the document itself, or the name of the file that it is in, in which nothing is taken for a variable.
func (s *reader) readPolicy(u *User, v *cfn.Value) {
	document := v
	if v.Is(cfn.String) {
		if !s.Exists(v.Text) {
			s.Watch(v.Text)
			s.Faultf(v.Place, "user %s: there is no policy file %q in the project's folder", u.Name, v.Text)
			return
		}
		if document = s.Parse(v.Text); document == nil {
			return // its faults are noted
		}
	}
	if s.broken(document) {
		return
	}
	p, err := iampolicy.Parse(document.AppendJSON(nil), iampolicy.UseIdentity)
	if err == nil {
		u.Policies = append(u.Policies, p)
		return
	}
	faults, ok := errors.AsType[iampolicy.Faults](err)
	if !ok {
		s.Faultf(document.Place, "user %s: %v", u.Name, err)
	}
	for _, f := range faults {
		s.Faultf(placeIn(document, f), "user %s: policy: %s", u.Name, f)
	}
}

// placeIn is where the value is that a policy's fault speaks of: "Statement[1].Action: …".
func placeIn(v *cfn.Value, fault string) cfn.Place {
	path, _, _ := strings.Cut(fault, ": ")
	at := v.Place
	for step := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		next := v.Get(step)
		if i, err := strconv.Atoi(step); err == nil && i < len(v.Items) {
			next = v.Items[i]
		}
		if next == nil {
			break
		}
		v, at = next, next.Place
	}
	return at
}

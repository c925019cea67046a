package iamapi

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"cleat/internal/controlapi"
	"cleat/internal/identity"
	"cleat/internal/store"
)

func (s *service) userOperations() []operation {
	users := every("user/")
	return []operation{
		{"CreateUser", true, newResource("user"), s.createUser},
		{"GetUser", false, s.user, s.getUser},
		{"ListUsers", false, users, s.listUsers},
		{"DeleteUser", true, s.user, s.deleteUser},
		{"TagUser", true, s.user, s.tagUser},
		{"UntagUser", true, s.user, s.untagUser},
		{"ListUserTags", false, s.user, s.listUserTags},
		{"CreateAccessKey", true, s.user, s.createAccessKey},
		{"ListAccessKeys", false, s.user, s.listAccessKeys},
		{"UpdateAccessKey", true, s.user, s.updateAccessKey},
		{"DeleteAccessKey", true, s.user, s.deleteAccessKey},
		{"GetAccessKeyLastUsed", false, s.keyOwner, s.getAccessKeyLastUsed},
		{"PutUserPolicy", true, s.user, s.putUserPolicy},
		{"GetUserPolicy", false, s.user, s.getUserPolicy},
		{"ListUserPolicies", false, s.user, s.listUserPolicies},
		{"DeleteUserPolicy", true, s.user, s.deleteUserPolicy},
		{"ListAttachedUserPolicies", false, s.user, s.none(func(p paging) any {
			return struct {
				AttachedPolicies list[struct{}]
				paging
			}{paging: p}
		})},
		{"ListGroupsForUser", false, s.user, s.none(func(p paging) any {
			return struct {
				Groups list[struct{}]
				paging
			}{paging: p}
		})},
		{"ListAccountAliases", false, every("*"), func(*controlapi.Call) (any, error) {
			return struct {
				AccountAliases list[string]
				paging
			}{}, nil
		}},
	}
}

// newResource is the ARN of what a request wants to make.
func newResource(kind string) func(*controlapi.Call) string {
	return func(c *controlapi.Call) string {
		path := c.Form.Get("Path")
		if path == "" {
			path = "/"
		}
		return "arn:" + c.Partition + ":iam::" + c.Account + ":" + kind + path + c.Form.Get(formName(kind))
	}
}

// formName is what requests call the name of a user, a role or a policy.
func formName(kind string) string { return strings.ToUpper(kind[:1]) + kind[1:] + "Name" }

// user is the ARN of the user that a request is about: the one it names, or its sender.
func (s *service) user(c *controlapi.Call) string {
	name := c.Form.Get("UserName")
	if name == "" {
		return ""
	}
	if u, err := s.ids.User(c.Context, name); err == nil {
		return s.ids.UserARN(u)
	}
	return "arn:" + c.Partition + ":iam::" + c.Account + ":user/" + name
}

// keyOwner is the ARN of the user whose access key a request is about.
func (s *service) keyOwner(c *controlapi.Call) string {
	if u, err := s.ids.KeyOwner(c.Context, c.Form.Get("AccessKeyId")); err == nil {
		return s.ids.UserARN(u)
	}
	return "arn:" + c.Partition + ":iam::" + c.Account + ":user/*" // of nobody who is known, so that only who may ask about all hears so
}

// userName is the name of the user that a request is about.
func userName(c *controlapi.Call) (string, error) {
	if name := c.Form.Get("UserName"); name != "" {
		return name, nil
	}
	_, resource, ok := strings.Cut(c.Caller.ARN, ":user/")
	if !ok {
		return "", identity.ValidationError.Errorf("Must specify userName when calling with non-User credentials")
	}
	return resource[strings.LastIndexByte(resource, '/')+1:], nil
}

// theUser is the user that a request is about.
func (s *service) theUser(c *controlapi.Call) (*store.User, error) {
	name, err := userName(c)
	if err != nil {
		return nil, err
	}
	return s.ids.User(c.Context, name)
}

type userXML struct {
	Path       string
	UserName   string
	UserID     string `xml:"UserId"`
	ARN        string `xml:"Arn"`
	CreateDate isoTime
	Tags       *list[tag] // not in lists of users
}

func (s *service) userXML(u *store.User, withTags bool) userXML {
	x := userXML{Path: u.Path, UserName: u.UserName, UserID: u.UserID, ARN: s.ids.UserARN(u), CreateDate: isoTime(u.CreateDate)}
	if withTags && len(u.Tags) > 0 {
		all := tagsOf(u.Tags)
		x.Tags = &all
	}
	return x
}

type userResult struct{ User userXML }

func (s *service) createUser(c *controlapi.Call) (any, error) {
	t, err := tags(c.Form)
	if err != nil {
		return nil, err
	}
	u, err := s.ids.CreateUser(c.Context, identity.NewUser{UserName: c.Form.Get("UserName"), Path: c.Form.Get("Path"), Tags: t})
	if err != nil {
		return nil, err
	}
	return userResult{s.userXML(u, true)}, nil
}

func (s *service) getUser(c *controlapi.Call) (any, error) {
	u, err := s.theUser(c)
	if err != nil {
		return nil, err
	}
	return userResult{s.userXML(u, true)}, nil
}

func (s *service) listUsers(c *controlapi.Call) (any, error) {
	all, err := s.ids.ListUsers(c.Context)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(u store.User) bool { return !strings.HasPrefix(u.Path, c.Form.Get("PathPrefix")) })
	some, p, err := page(c.Form, all, func(u *store.User) string { return store.IdentityKey(u.UserName) })
	if err != nil {
		return nil, err
	}
	var out struct {
		Users list[userXML]
		paging
	}
	for i := range some {
		out.Users.Members = append(out.Users.Members, s.userXML(&some[i], false))
	}
	out.paging = p
	return out, nil
}

func (s *service) deleteUser(c *controlapi.Call) (any, error) {
	name, err := userName(c)
	if err != nil {
		return nil, err
	}
	return done(s.ids.DeleteUser(c.Context, name))
}

func (s *service) tagUser(c *controlapi.Call) (any, error) {
	t, err := tags(c.Form)
	if err != nil {
		return nil, err
	}
	return done(s.ids.TagUser(c.Context, c.Form.Get("UserName"), t))
}

func (s *service) untagUser(c *controlapi.Call) (any, error) {
	return done(s.ids.UntagUser(c.Context, c.Form.Get("UserName"), tagKeys(c.Form)))
}

func (s *service) listUserTags(c *controlapi.Call) (any, error) {
	u, err := s.theUser(c)
	if err != nil {
		return nil, err
	}
	return pageOfTags(c.Form, u.Tags)
}

func pageOfTags(f url.Values, tags map[string]string) (any, error) {
	some, p, err := page(f, tagsOf(tags).Members, func(t *tag) string { return t.Key })
	return struct {
		Tags list[tag]
		paging
	}{listOf(some), p}, err
}

// none answers a list of what no user of Cleat has.
func (s *service) none(result func(paging) any) func(*controlapi.Call) (any, error) {
	return func(c *controlapi.Call) (any, error) {
		if _, err := s.theUser(c); err != nil {
			return nil, err
		}
		return result(paging{}), nil
	}
}

// keyXML is an access key, with its secret when it has just been made.
type keyXML struct {
	UserName        string
	AccessKeyID     string `xml:"AccessKeyId"`
	Status          string
	SecretAccessKey string  `xml:",omitempty"`
	CreateDate      isoTime `xml:"CreateDate"`
}

func (s *service) createAccessKey(c *controlapi.Call) (any, error) {
	name, err := userName(c)
	if err != nil {
		return nil, err
	}
	key, creds, err := s.ids.CreateAccessKey(c.Context, name)
	if err != nil {
		return nil, err
	}
	return struct{ AccessKey keyXML }{keyXML{name, key.AccessKeyID, key.Status, creds.SecretAccessKey, isoTime(key.CreateDate)}}, nil
}

func (s *service) listAccessKeys(c *controlapi.Call) (any, error) {
	u, err := s.theUser(c)
	if err != nil {
		return nil, err
	}
	var out struct {
		UserName          string
		AccessKeyMetadata list[keyXML]
		paging
	}
	out.UserName = u.UserName
	for _, k := range u.AccessKeys { // two at most: always one page
		out.AccessKeyMetadata.Members = append(out.AccessKeyMetadata.Members, keyXML{u.UserName, k.AccessKeyID, k.Status, "", isoTime(k.CreateDate)})
	}
	return out, nil
}

func (s *service) updateAccessKey(c *controlapi.Call) (any, error) {
	name, err := userName(c)
	if err != nil {
		return nil, err
	}
	return done(s.ids.UpdateAccessKey(c.Context, name, c.Form.Get("AccessKeyId"), c.Form.Get("Status")))
}

func (s *service) deleteAccessKey(c *controlapi.Call) (any, error) {
	name, err := userName(c)
	if err != nil {
		return nil, err
	}
	return done(s.ids.DeleteAccessKey(c.Context, name, c.Form.Get("AccessKeyId")))
}

func (s *service) getAccessKeyLastUsed(c *controlapi.Call) (any, error) {
	id := c.Form.Get("AccessKeyId")
	owner, err := s.ids.KeyOwner(c.Context, id)
	if err != nil {
		return nil, err
	}
	var out struct {
		UserName          string
		AccessKeyLastUsed struct {
			LastUsedDate        *isoTime
			ServiceName, Region string
		}
	}
	out.UserName = owner.UserName
	last := &out.AccessKeyLastUsed
	last.ServiceName, last.Region = "N/A", "N/A" // AWS's words for never
	if use, ok := s.ids.LastUse(id); ok {
		at := isoTime(use.Time.Truncate(time.Second))
		last.LastUsedDate, last.ServiceName, last.Region = &at, use.Service, use.Region
	}
	return out, nil
}

func (s *service) putUserPolicy(c *controlapi.Call) (any, error) {
	return done(s.ids.PutUserPolicy(c.Context, c.Form.Get("UserName"), c.Form.Get("PolicyName"), c.Form.Get("PolicyDocument")))
}

func (s *service) getUserPolicy(c *controlapi.Call) (any, error) {
	name, policy := c.Form.Get("UserName"), c.Form.Get("PolicyName")
	document, err := s.ids.UserPolicy(c.Context, name, policy)
	return struct{ UserName, PolicyName, PolicyDocument string }{name, policy, escaped(document)}, err
}

// escaped is a policy document as IAM answers it: encoded as a part of a URL (RFC 3986).
func escaped(document string) string {
	return strings.ReplaceAll(url.QueryEscape(document), "+", "%20")
}

func (s *service) listUserPolicies(c *controlapi.Call) (any, error) {
	u, err := s.theUser(c)
	if err != nil {
		return nil, err
	}
	return pageOfNames(c.Form, u.UserPolicies)
}

// pageOfNames answers the names of inline policies.
func pageOfNames(f url.Values, policies map[string]string) (any, error) {
	some, p, err := page(f, slices.Sorted(maps.Keys(policies)), func(name *string) string { return *name })
	return struct {
		PolicyNames list[string]
		paging
	}{listOf(some), p}, err
}

func (s *service) deleteUserPolicy(c *controlapi.Call) (any, error) {
	return done(s.ids.DeleteUserPolicy(c.Context, c.Form.Get("UserName"), c.Form.Get("PolicyName")))
}

package iamapi

import (
	"slices"
	"strings"

	"cleat/internal/controlapi"
	"cleat/internal/identity"
	"cleat/internal/store"
)

// policyOperations are those on managed policies of the account's own.
func (s *service) policyOperations() []operation {
	return []operation{
		{"CreatePolicy", true, newResource("policy"), s.createPolicy},
		{"GetPolicy", false, policy, s.getPolicy},
		{"ListPolicies", false, every("policy/"), s.listPolicies},
		{"DeletePolicy", true, policy, s.deletePolicy},
		{"CreatePolicyVersion", true, policy, s.createPolicyVersion},
		{"GetPolicyVersion", false, policy, s.getPolicyVersion},
		{"ListPolicyVersions", false, policy, s.listPolicyVersions},
		{"DeletePolicyVersion", true, policy, s.deletePolicyVersion},
		{"SetDefaultPolicyVersion", true, policy, s.setDefaultPolicyVersion},
		{"ListEntitiesForPolicy", false, policy, s.listEntitiesForPolicy},
		{"TagPolicy", true, policy, s.tagPolicy},
		{"UntagPolicy", true, policy, s.untagPolicy},
		{"ListPolicyTags", false, policy, s.listPolicyTags},
	}
}

// policy is the ARN of the managed policy that a request names.
func policy(c *controlapi.Call) string { return c.Form.Get("PolicyArn") }

func (s *service) thePolicy(c *controlapi.Call) (*store.Policy, error) {
	return s.ids.Policy(c.Context, policy(c))
}

type policyXML struct {
	PolicyName                    string
	PolicyID                      string `xml:"PolicyId"`
	ARN                           string `xml:"Arn"`
	Path                          string
	DefaultVersionID              string `xml:"DefaultVersionId"`
	AttachmentCount               int
	PermissionsBoundaryUsageCount int
	IsAttachable                  bool
	Description                   string `xml:",omitempty"` // not in lists of policies
	CreateDate                    isoTime
	UpdateDate                    isoTime
	Tags                          *list[tag] // likewise
}

// policyXML is a policy of which roles are all roles there are.
func (s *service) policyXML(p *store.Policy, roles []store.Role, whole bool) policyXML {
	x := policyXML{
		PolicyName: p.PolicyName, PolicyID: p.PolicyID, ARN: s.ids.PolicyARN(p), Path: p.Path, DefaultVersionID: p.DefaultVersionID,
		IsAttachable: true, CreateDate: isoTime(p.CreateDate), UpdateDate: isoTime(p.UpdateDate),
	}
	for i := range roles {
		if slices.Contains(roles[i].AttachedPolicies, x.ARN) {
			x.AttachmentCount++
		}
		if roles[i].PermissionsBoundary == x.ARN {
			x.PermissionsBoundaryUsageCount++
		}
	}
	if !whole {
		return x
	}
	x.Description = p.Description
	if len(p.Tags) > 0 {
		all := tagsOf(p.Tags)
		x.Tags = &all
	}
	return x
}

type policyResult struct{ Policy policyXML }

func (s *service) createPolicy(c *controlapi.Call) (any, error) {
	t, err := tags(c.Form)
	if err != nil {
		return nil, err
	}
	p, err := s.ids.CreatePolicy(c.Context, identity.NewPolicy{
		PolicyName: c.Form.Get("PolicyName"), Path: c.Form.Get("Path"), Description: c.Form.Get("Description"),
		PolicyDocument: c.Form.Get("PolicyDocument"), Tags: t,
	})
	if err != nil {
		return nil, err
	}
	return policyResult{s.policyXML(p, nil, true)}, nil
}

func (s *service) getPolicy(c *controlapi.Call) (any, error) {
	p, err := s.thePolicy(c)
	if err != nil {
		return nil, err
	}
	roles, err := s.ids.ListRoles(c.Context)
	return policyResult{s.policyXML(p, roles, true)}, err
}

// listPolicies lists the account's own policies; AWS's are not kept here.
func (s *service) listPolicies(c *controlapi.Call) (any, error) {
	all, err := s.ids.ListPolicies(c.Context)
	if err != nil {
		return nil, err
	}
	roles, err := s.ids.ListRoles(c.Context)
	if err != nil {
		return nil, err
	}
	found := make([]policyXML, 0, len(all))
	for i := range all {
		found = append(found, s.policyXML(&all[i], roles, false))
	}
	f := c.Form
	found = slices.DeleteFunc(found, func(p policyXML) bool {
		unused := p.AttachmentCount == 0
		switch f.Get("PolicyUsageFilter") {
		case "PermissionsBoundary":
			unused = p.PermissionsBoundaryUsageCount == 0
		case "":
			unused = unused && p.PermissionsBoundaryUsageCount == 0
		}
		return f.Get("Scope") == "AWS" || !strings.HasPrefix(p.Path, f.Get("PathPrefix")) ||
			unused && (f.Get("OnlyAttached") == "true" || f.Get("PolicyUsageFilter") != "")
	})
	some, pages, err := page(f, found, func(p *policyXML) string { return store.IdentityKey(p.PolicyName) })
	if err != nil {
		return nil, err
	}
	return struct {
		Policies list[policyXML]
		paging
	}{listOf(some), pages}, nil
}

func (s *service) deletePolicy(c *controlapi.Call) (any, error) {
	return done(s.ids.DeletePolicy(c.Context, policy(c)))
}

type policyVersionXML struct {
	Document         string `xml:",omitempty"` // not in lists
	VersionID        string `xml:"VersionId"`
	IsDefaultVersion bool
	CreateDate       isoTime
}

type policyVersionResult struct{ PolicyVersion policyVersionXML }

func (s *service) createPolicyVersion(c *controlapi.Call) (any, error) {
	isDefault := c.Form.Get("SetAsDefault") == "true"
	v, err := s.ids.CreatePolicyVersion(c.Context, policy(c), c.Form.Get("PolicyDocument"), isDefault)
	if err != nil {
		return nil, err
	}
	return policyVersionResult{policyVersionXML{VersionID: v.VersionID, IsDefaultVersion: isDefault, CreateDate: isoTime(v.CreateDate)}}, nil
}

func (s *service) getPolicyVersion(c *controlapi.Call) (any, error) {
	p, err := s.thePolicy(c)
	if err != nil {
		return nil, err
	}
	v, err := identity.VersionOf(p, c.Form.Get("VersionId"))
	if err != nil {
		return nil, err
	}
	return policyVersionResult{policyVersionXML{escaped(v.Document), v.VersionID, v.VersionID == p.DefaultVersionID, isoTime(v.CreateDate)}}, nil
}

func (s *service) listPolicyVersions(c *controlapi.Call) (any, error) {
	p, err := s.thePolicy(c)
	if err != nil {
		return nil, err
	}
	var all []policyVersionXML
	for _, v := range slices.Backward(p.Versions) { // there are so few that they are one page
		all = append(all, policyVersionXML{VersionID: v.VersionID, IsDefaultVersion: v.VersionID == p.DefaultVersionID, CreateDate: isoTime(v.CreateDate)})
	}
	return struct {
		Versions list[policyVersionXML]
		paging
	}{Versions: listOf(all)}, nil
}

func (s *service) deletePolicyVersion(c *controlapi.Call) (any, error) {
	return done(s.ids.DeletePolicyVersion(c.Context, policy(c), c.Form.Get("VersionId")))
}

func (s *service) setDefaultPolicyVersion(c *controlapi.Call) (any, error) {
	return done(s.ids.SetDefaultPolicyVersion(c.Context, policy(c), c.Form.Get("VersionId")))
}

type entityXML struct {
	RoleName string
	RoleID   string `xml:"RoleId"`
}

// listEntitiesForPolicy lists the roles that a policy is attached to: no user or group has any.
func (s *service) listEntitiesForPolicy(c *controlapi.Call) (any, error) {
	if _, err := s.thePolicy(c); err != nil {
		return nil, err
	}
	roles, err := s.ids.RolesWithPolicy(c.Context, policy(c))
	if err != nil {
		return nil, err
	}
	f := c.Form
	wanted := (f.Get("EntityFilter") == "" || f.Get("EntityFilter") == "Role") && f.Get("PolicyUsageFilter") != "PermissionsBoundary"
	roles = slices.DeleteFunc(roles, func(r store.Role) bool { return !wanted || !strings.HasPrefix(r.Path, f.Get("PathPrefix")) })
	some, pages, err := page(f, roles, func(r *store.Role) string { return store.IdentityKey(r.RoleName) })
	if err != nil {
		return nil, err
	}
	var out struct {
		PolicyGroups, PolicyUsers list[struct{}]
		PolicyRoles               list[entityXML]
		paging
	}
	for i := range some {
		out.PolicyRoles.Members = append(out.PolicyRoles.Members, entityXML{some[i].RoleName, some[i].RoleID})
	}
	out.paging = pages
	return out, nil
}

func (s *service) tagPolicy(c *controlapi.Call) (any, error) {
	t, err := tags(c.Form)
	if err != nil {
		return nil, err
	}
	return done(s.ids.TagPolicy(c.Context, policy(c), t))
}

func (s *service) untagPolicy(c *controlapi.Call) (any, error) {
	return done(s.ids.UntagPolicy(c.Context, policy(c), tagKeys(c.Form)))
}

func (s *service) listPolicyTags(c *controlapi.Call) (any, error) {
	p, err := s.thePolicy(c)
	if err != nil {
		return nil, err
	}
	return pageOfTags(c.Form, p.Tags)
}

package iamapi

import (
	"net/url"
	"slices"
	"strings"

	"cleat/internal/controlapi"
	"cleat/internal/identity"
	"cleat/internal/store"
)

func (s *service) roleOperations() []operation {
	return []operation{
		{"CreateRole", true, newResource("role"), s.createRole},
		{"GetRole", false, s.role, s.getRole},
		{"ListRoles", false, every("role/"), s.listRoles},
		{"UpdateRole", true, s.role, s.updateRole},
		{"UpdateRoleDescription", true, s.role, s.updateRoleDescription},
		{"UpdateAssumeRolePolicy", true, s.role, s.updateAssumeRolePolicy},
		{"DeleteRole", true, s.role, s.deleteRole},
		{"PutRolePermissionsBoundary", true, s.role, s.putRolePermissionsBoundary},
		{"DeleteRolePermissionsBoundary", true, s.role, s.deleteRolePermissionsBoundary},
		{"TagRole", true, s.role, s.tagRole},
		{"UntagRole", true, s.role, s.untagRole},
		{"ListRoleTags", false, s.role, s.listRoleTags},
		{"PutRolePolicy", true, s.role, s.putRolePolicy},
		{"GetRolePolicy", false, s.role, s.getRolePolicy},
		{"ListRolePolicies", false, s.role, s.listRolePolicies},
		{"DeleteRolePolicy", true, s.role, s.deleteRolePolicy},
		{"AttachRolePolicy", true, s.role, s.attachRolePolicy},
		{"DetachRolePolicy", true, s.role, s.detachRolePolicy},
		{"ListAttachedRolePolicies", false, s.role, s.listAttachedRolePolicies},
		{"ListInstanceProfilesForRole", false, s.role, s.listInstanceProfilesForRole},
	}
}

// role is the ARN of the role that a request names.
func (s *service) role(c *controlapi.Call) string {
	name := c.Form.Get("RoleName")
	if r, err := s.ids.Role(c.Context, name); err == nil {
		return s.ids.RoleARN(r)
	}
	return "arn:" + c.Partition + ":iam::" + c.Account + ":role/" + name
}

func (s *service) theRole(c *controlapi.Call) (*store.Role, error) {
	return s.ids.Role(c.Context, c.Form.Get("RoleName"))
}

type roleXML struct {
	Path                     string
	RoleName                 string
	RoleID                   string `xml:"RoleId"`
	ARN                      string `xml:"Arn"`
	CreateDate               isoTime
	AssumeRolePolicyDocument string
	Description              string `xml:",omitempty"`
	MaxSessionDuration       int
	PermissionsBoundary      *boundaryXML
	Tags                     *list[tag] // not in lists of roles
	RoleLastUsed             *struct{}  // nobody can use one
}

type boundaryXML struct{ PermissionsBoundaryType, PermissionsBoundaryArn string }

func (s *service) roleXML(r *store.Role, whole bool) roleXML {
	x := roleXML{
		Path: r.Path, RoleName: r.RoleName, RoleID: r.RoleID, ARN: s.ids.RoleARN(r), CreateDate: isoTime(r.CreateDate),
		AssumeRolePolicyDocument: escaped(r.AssumeRolePolicyDocument), Description: r.Description, MaxSessionDuration: r.MaxSessionDuration,
	}
	if !whole {
		return x
	}
	x.RoleLastUsed = &struct{}{}
	if r.PermissionsBoundary != "" {
		x.PermissionsBoundary = &boundaryXML{"Policy", r.PermissionsBoundary}
	}
	if len(r.Tags) > 0 {
		all := tagsOf(r.Tags)
		x.Tags = &all
	}
	return x
}

type roleResult struct{ Role roleXML }

func (s *service) createRole(c *controlapi.Call) (any, error) {
	f := c.Form
	t, err := tags(f)
	if err != nil {
		return nil, err
	}
	duration, err := number(f, "MaxSessionDuration")
	if err != nil {
		return nil, err
	}
	in := identity.NewRole{
		RoleName: f.Get("RoleName"), Path: f.Get("Path"), AssumeRolePolicyDocument: f.Get("AssumeRolePolicyDocument"),
		Description: f.Get("Description"), PermissionsBoundary: f.Get("PermissionsBoundary"), Tags: t,
	}
	if duration != nil {
		in.MaxSessionDuration = *duration
	}
	r, err := s.ids.CreateRole(c.Context, in)
	if err != nil {
		return nil, err
	}
	return roleResult{s.roleXML(r, true)}, nil
}

func (s *service) getRole(c *controlapi.Call) (any, error) {
	r, err := s.theRole(c)
	if err != nil {
		return nil, err
	}
	return roleResult{s.roleXML(r, true)}, nil
}

func (s *service) listRoles(c *controlapi.Call) (any, error) {
	all, err := s.ids.ListRoles(c.Context)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(r store.Role) bool { return !strings.HasPrefix(r.Path, c.Form.Get("PathPrefix")) })
	some, p, err := page(c.Form, all, func(r *store.Role) string { return store.IdentityKey(r.RoleName) })
	if err != nil {
		return nil, err
	}
	var out struct {
		Roles list[roleXML]
		paging
	}
	for i := range some {
		out.Roles.Members = append(out.Roles.Members, s.roleXML(&some[i], false))
	}
	out.paging = p
	return out, nil
}

// optional is a text of a form, nil where it is absent.
func optional(f url.Values, name string) *string {
	if !f.Has(name) {
		return nil
	}
	text := f.Get(name)
	return &text
}

func (s *service) updateRole(c *controlapi.Call) (any, error) {
	duration, err := number(c.Form, "MaxSessionDuration")
	if err != nil {
		return nil, err
	}
	if _, err := s.ids.UpdateRole(c.Context, c.Form.Get("RoleName"), optional(c.Form, "Description"), duration); err != nil {
		return nil, err
	}
	return struct{}{}, nil
}

func (s *service) updateRoleDescription(c *controlapi.Call) (any, error) {
	description := c.Form.Get("Description")
	r, err := s.ids.UpdateRole(c.Context, c.Form.Get("RoleName"), &description, nil)
	if err != nil {
		return nil, err
	}
	return roleResult{s.roleXML(r, true)}, nil
}

func (s *service) updateAssumeRolePolicy(c *controlapi.Call) (any, error) {
	return done(s.ids.UpdateAssumeRolePolicy(c.Context, c.Form.Get("RoleName"), c.Form.Get("PolicyDocument")))
}

func (s *service) deleteRole(c *controlapi.Call) (any, error) {
	return done(s.ids.DeleteRole(c.Context, c.Form.Get("RoleName")))
}

func (s *service) putRolePermissionsBoundary(c *controlapi.Call) (any, error) {
	arn := c.Form.Get("PermissionsBoundary")
	if arn == "" {
		return nil, identity.ValidationError.Errorf("1 validation error detected: Value null at 'permissionsBoundary' failed to satisfy constraint: Member must not be null")
	}
	return done(s.ids.SetRolePermissionsBoundary(c.Context, c.Form.Get("RoleName"), arn))
}

func (s *service) deleteRolePermissionsBoundary(c *controlapi.Call) (any, error) {
	return done(s.ids.SetRolePermissionsBoundary(c.Context, c.Form.Get("RoleName"), ""))
}

func (s *service) tagRole(c *controlapi.Call) (any, error) {
	t, err := tags(c.Form)
	if err != nil {
		return nil, err
	}
	return done(s.ids.TagRole(c.Context, c.Form.Get("RoleName"), t))
}

func (s *service) untagRole(c *controlapi.Call) (any, error) {
	return done(s.ids.UntagRole(c.Context, c.Form.Get("RoleName"), tagKeys(c.Form)))
}

func (s *service) listRoleTags(c *controlapi.Call) (any, error) {
	r, err := s.theRole(c)
	if err != nil {
		return nil, err
	}
	return pageOfTags(c.Form, r.Tags)
}

func (s *service) putRolePolicy(c *controlapi.Call) (any, error) {
	return done(s.ids.PutRolePolicy(c.Context, c.Form.Get("RoleName"), c.Form.Get("PolicyName"), c.Form.Get("PolicyDocument")))
}

func (s *service) getRolePolicy(c *controlapi.Call) (any, error) {
	name, policy := c.Form.Get("RoleName"), c.Form.Get("PolicyName")
	document, err := s.ids.RolePolicy(c.Context, name, policy)
	return struct{ RoleName, PolicyName, PolicyDocument string }{name, policy, escaped(document)}, err
}

func (s *service) listRolePolicies(c *controlapi.Call) (any, error) {
	r, err := s.theRole(c)
	if err != nil {
		return nil, err
	}
	return pageOfNames(c.Form, r.RolePolicies)
}

func (s *service) deleteRolePolicy(c *controlapi.Call) (any, error) {
	return done(s.ids.DeleteRolePolicy(c.Context, c.Form.Get("RoleName"), c.Form.Get("PolicyName")))
}

func (s *service) attachRolePolicy(c *controlapi.Call) (any, error) {
	return done(s.ids.AttachRolePolicy(c.Context, c.Form.Get("RoleName"), c.Form.Get("PolicyArn")))
}

func (s *service) detachRolePolicy(c *controlapi.Call) (any, error) {
	return done(s.ids.DetachRolePolicy(c.Context, c.Form.Get("RoleName"), c.Form.Get("PolicyArn")))
}

type attachedXML struct{ PolicyName, PolicyArn string }

func (s *service) listAttachedRolePolicies(c *controlapi.Call) (any, error) {
	r, err := s.theRole(c)
	if err != nil {
		return nil, err
	}
	arns := slices.Sorted(slices.Values(r.AttachedPolicies))
	some, p, err := page(c.Form, arns, func(arn *string) string { return *arn })
	if err != nil {
		return nil, err
	}
	var out struct {
		AttachedPolicies list[attachedXML]
		paging
	}
	for _, arn := range some {
		out.AttachedPolicies.Members = append(out.AttachedPolicies.Members, attachedXML{arn[strings.LastIndexByte(arn, '/')+1:], arn})
	}
	out.paging = p
	return out, nil
}

func (s *service) listInstanceProfilesForRole(c *controlapi.Call) (any, error) {
	_, err := s.theRole(c)
	return struct {
		InstanceProfiles list[struct{}]
		paging
	}{}, err
}

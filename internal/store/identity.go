package store

import (
	"strings"
	"time"
)

// The collections of identities.
const (
	usersPrefix    = "users/"
	rolesPrefix    = "roles/"
	policiesPrefix = "policies/"
)

// User is one who may sign requests, with all that belongs to them.
type User struct {
	Path         string            `json:"path"`
	UserName     string            `json:"userName"`
	UserID       string            `json:"userId"` // "AIDA…"
	CreateDate   time.Time         `json:"createDate"`
	Tags         map[string]string `json:"tags,omitempty"`
	AccessKeys   []AccessKey       `json:"accessKeys,omitempty"` // oldest first
	UserPolicies map[string]string `json:"userPolicies,omitempty"`
}

// AccessKey is a user's key as it rests in the store: its secret is sealed.
type AccessKey struct {
	AccessKeyID string    `json:"accessKeyId"`
	Sealed      []byte    `json:"sealed"`
	Status      string    `json:"status"` // "Active" or "Inactive"
	CreateDate  time.Time `json:"createDate"`
}

// Role is an IAM role. It is kept for those who make roles beside functions; no permission follows from it.
type Role struct {
	Path                     string            `json:"path"`
	RoleName                 string            `json:"roleName"`
	RoleID                   string            `json:"roleId"` // "AROA…"
	CreateDate               time.Time         `json:"createDate"`
	Description              string            `json:"description,omitempty"`
	MaxSessionDuration       int               `json:"maxSessionDuration"` // seconds
	AssumeRolePolicyDocument string            `json:"assumeRolePolicyDocument"`
	PermissionsBoundary      string            `json:"permissionsBoundary,omitempty"` // ARN
	Tags                     map[string]string `json:"tags,omitempty"`
	RolePolicies             map[string]string `json:"rolePolicies,omitempty"`
	AttachedPolicies         []string          `json:"attachedPolicies,omitempty"` // ARNs, in the order they came
}

// Policy is a managed policy of the account's own. It is kept for those who attach policies to roles; no permission follows from
// it.
type Policy struct {
	Path             string            `json:"path"`
	PolicyName       string            `json:"policyName"`
	PolicyID         string            `json:"policyId"` // "ANPA…"
	Description      string            `json:"description,omitempty"`
	CreateDate       time.Time         `json:"createDate"`
	UpdateDate       time.Time         `json:"updateDate"`
	DefaultVersionID string            `json:"defaultVersionId"`
	Versions         []PolicyVersion   `json:"versions"` // oldest first, never none
	LastVersion      int               `json:"lastVersion"`
	Tags             map[string]string `json:"tags,omitempty"`
}

// PolicyVersion is one document of a managed policy.
type PolicyVersion struct {
	VersionID  string    `json:"versionId"` // "v1"
	Document   string    `json:"document"`
	CreateDate time.Time `json:"createDate"`
}

// Policies are all managed policies, by IdentityKey of their names.
func Policies() Collection[Policy] { return Collection[Policy]{policiesPrefix} }

// Users are all users, by IdentityKey of their names.
func Users() Collection[User] { return Collection[User]{usersPrefix} }

// Roles are all roles, by IdentityKey of their names.
func Roles() Collection[Role] { return Collection[Role]{rolesPrefix} }

var identityKeys = strings.NewReplacer("=", "=e", "+", "=p", ",", "=c", ".", "=d", "@", "=a")

// IdentityKey is the name of a user, a role or a policy as a part of a key. Names that differ in case alone have the same key, for
// IAM takes them to be the same; all others differ.
func IdentityKey(name string) string { return identityKeys.Replace(strings.ToLower(name)) }

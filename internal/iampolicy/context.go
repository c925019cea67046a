package iampolicy

import (
	"strconv"
	"strings"
	"time"
)

// Context holds the values of condition keys and policy variables. Its keys are in lower case, since IAM's have none: use Set.
// A key without values is absent. It must not be changed while it is evaluated.
type Context map[string][]string

// Set gives a key its values; empty texts are left out, so that what is not known counts as absent.
func (c Context) Set(key string, values ...string) {
	kept := make([]string, 0, len(values))
	for _, v := range values {
		if v != "" {
			kept = append(kept, v)
		}
	}
	if len(kept) > 0 {
		c[strings.ToLower(key)] = kept
	}
}

// Origin is what is known of where a request came from, whoever sent it. Empty members count as absent.
type Origin struct {
	Time      time.Time
	SourceIP  string
	UserAgent string
	Referer   string
	TLS       bool
	Region    string // that was asked
}

// NewContext returns a context with the keys that every request has: aws:CurrentTime, aws:EpochTime, aws:SourceIp,
// aws:UserAgent, aws:Referer, aws:SecureTransport, aws:RequestedRegion.
func NewContext(o Origin) Context {
	now := o.Time.UTC()
	c := Context{
		"aws:currenttime":     {now.Format(time.RFC3339)},
		"aws:epochtime":       {strconv.FormatInt(now.Unix(), 10)},
		"aws:securetransport": {strconv.FormatBool(o.TLS)},
	}
	c.Set("aws:SourceIp", o.SourceIP)
	c.Set("aws:UserAgent", o.UserAgent)
	c.Set("aws:Referer", o.Referer)
	c.Set("aws:RequestedRegion", o.Region)
	return c
}

// Principal is who signed a request. Empty members count as absent.
type Principal struct {
	Name    string // aws:username; users alone have one
	ID      string // aws:userid
	ARN     string // aws:PrincipalArn
	Account string // aws:PrincipalAccount
	Type    string // aws:PrincipalType: "User", "AssumedRole", ...
	OrgID   string // aws:PrincipalOrgID
}

// SetPrincipal adds the keys of the one who signed.
func (c Context) SetPrincipal(p Principal) {
	c.Set("aws:username", p.Name)
	c.Set("aws:userid", p.ID)
	c.Set("aws:PrincipalArn", p.ARN)
	c.Set("aws:PrincipalAccount", p.Account)
	c.Set("aws:PrincipalType", p.Type)
	c.Set("aws:PrincipalOrgID", p.OrgID)
}

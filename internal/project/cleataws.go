package project

import (
	"regexp"
	"time"

	"cleat/internal/cfn"
)

// AWSServices says where the AWS services of integrations are and who calls them. The zero value means AWS's own, and
// the credentials of the process.
type AWSServices struct {
	// Endpoints are the base URLs of stand-ins by service; "*" is for all that are not named. Nil when there are none.
	Endpoints map[string]string
	// Credentials to sign with. Empty: those of the process for AWS's own hosts.
	AccessKeyID, SecretAccessKey, SessionToken string
}

// VPCLink says where a VPC link leads.
type VPCLink struct {
	Name    string
	Targets []string     // host:port, or a URL of scheme and host:port
	Check   *HealthCheck // nil: none
	Place   cfn.Place
}

// HealthCheck says how the targets of a VPC link are looked after. Zero values are those of whoever does it.
type HealthCheck struct {
	Path               string // empty: that a connection can be made is enough
	Interval, Timeout  time.Duration
	Healthy, Unhealthy int // in a row
}

var (
	serviceEndpointName = regexp.MustCompile(`^(?:\*|[a-z0-9-]+(?:\.[a-z0-9-]+)*)$`)
	linkTarget          = regexp.MustCompile(`^(?:https?://)?(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}/?$`)
)

// readAWS reads awsEndpoints and awsCredentials.
func (s *short) readAWS() {
	for _, e := range s.mapEntries(s.root.Get("awsEndpoints"), "awsEndpoints") {
		text, ok := s.text(e.Value, "endpoint of "+e.Key)
		switch {
		case !serviceEndpointName.MatchString(e.Key):
			s.faultf(e.Place, "awsEndpoints: %q is not a service as integration URIs name it, such as dynamodb, nor *", e.Key)
		case !ok:
		case !isHTTPURL(text):
			s.faultf(e.Value.Place, "awsEndpoints.%s: %q is not an http:// or https:// URL, such as http://127.0.0.1:8000", e.Key, text)
		default:
			if s.p.AWS.Endpoints == nil {
				s.p.AWS.Endpoints = map[string]string{}
			}
			s.p.AWS.Endpoints[e.Key] = text
		}
	}
	v := s.root.Get("awsCredentials")
	s.mapEntries(v, "awsCredentials")
	if !v.Is(cfn.Map) {
		return
	}
	s.checkKeys(v, "awsCredentials", cleatSettings["awsCredentials"])
	s.readKeys(v, "awsCredentials", &s.p.AWS.AccessKeyID, &s.p.AWS.SecretAccessKey, &s.p.AWS.SessionToken)
}

// readKeys reads a key pair and its session token.
func (s *short) readKeys(v *cfn.Value, what string, id, secret, token *string) {
	for _, f := range []struct {
		key  string
		into *string
	}{{"accessKeyId", id}, {"secretAccessKey", secret}, {"sessionToken", token}} {
		if text, ok := s.text(v.Get(f.key), what+": "+f.key); ok {
			*f.into = text
		}
	}
	if (*id == "") != (*secret == "") {
		s.faultf(v.Place, "%s: accessKeyId and secretAccessKey belong together", what)
	}
}

// readVPCLinks reads vpcLinks: by name a target, a list of targets, or a map of targets and healthCheck.
func (s *short) readVPCLinks() {
	for _, e := range s.mapEntries(s.root.Get("vpcLinks"), "vpcLinks") {
		link := VPCLink{Name: e.Key, Place: e.Place}
		what := "VPC link " + e.Key
		targets := e.Value
		if targets.Is(cfn.Map) {
			s.checkKeys(targets, what, cleatSettings["vpcLink"])
			link.Check = s.readHealthCheck(targets.Get("healthCheck"), what+": healthCheck")
			targets = targets.Get("targets")
		}
		if targets.Is(cfn.String) {
			targets = cfn.ListOf(targets.Place, targets)
		}
		switch {
		case s.r.isBroken(targets): // which has its fault
		case !targets.Is(cfn.List) || len(targets.Items) == 0 || len(targets.Items) > maxLinkTargets:
			s.faultf(e.Place, "%s has no `targets`: a list of 1 to %d addresses, such as http://127.0.0.1:9001", what, maxLinkTargets)
		default:
			for _, item := range targets.Items {
				text, ok := s.text(item, what+": target")
				if ok && !linkTarget.MatchString(text) {
					s.faultf(item.Place, "%s: target %q: want a host and a port, such as http://127.0.0.1:9001 or 10.0.0.7:8080", what, text)
				}
				link.Targets = append(link.Targets, text)
			}
		}
		s.p.VPCLinks = append(s.p.VPCLinks, link)
	}
}

const (
	maxLinkTargets  = 64
	maxHealthChecks = 100 // in a row
)

// readHealthCheck reads a map of settings, or a switch: on is a check with nothing said about it.
func (s *short) readHealthCheck(v *cfn.Value, what string) *HealthCheck {
	if v == nil || v.Kind == cfn.Null {
		return nil
	}
	if on, ok := parseSwitch(v.Str()); ok {
		if on {
			return &HealthCheck{}
		}
		return nil
	}
	s.mapEntries(v, what)
	if !v.Is(cfn.Map) {
		return nil
	}
	s.checkKeys(v, what, cleatSettings["healthCheck"])
	var c HealthCheck
	c.Path, _ = s.text(v.Get("path"), what+".path")
	for _, f := range []struct {
		key  string
		into *time.Duration
	}{{"interval", &c.Interval}, {"timeout", &c.Timeout}} {
		if text, ok := s.text(v.Get(f.key), what+"."+f.key); ok {
			d, ok := parseDuration(text)
			if !ok || d < 100*time.Millisecond || d > time.Hour {
				s.faultf(v.Get(f.key).Place, "%s.%s: %q is not a duration from 100ms to 1h, such as 10s", what, f.key, text)
			}
			*f.into = d
		}
	}
	for _, f := range []struct {
		key  string
		into *int
	}{{"healthy", &c.Healthy}, {"unhealthy", &c.Unhealthy}} {
		if n, ok := s.number(v.Get(f.key), what+"."+f.key, 1, maxHealthChecks); ok {
			*f.into = n
		}
	}
	return &c
}

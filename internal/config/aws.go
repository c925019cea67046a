package config

import (
	"regexp"
	"time"

	"cleat/internal/cfn"
	"cleat/internal/input"
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
func (s *reader) readAWS() {
	for _, e := range s.Entries(s.root.Get("awsEndpoints"), "awsEndpoints") {
		text, ok := s.Text(e.Value, "endpoint of "+e.Key)
		switch {
		case !serviceEndpointName.MatchString(e.Key):
			s.Faultf(e.Place, "awsEndpoints: %q is not a service as integration URIs name it, such as dynamodb, nor *", e.Key)
		case !ok:
		case !input.IsHTTPURL(text):
			s.Faultf(e.Value.Place, "awsEndpoints.%s: %q is not an http:// or https:// URL, such as http://127.0.0.1:8000", e.Key, text)
		default:
			if s.node.AWS.Endpoints == nil {
				s.node.AWS.Endpoints = map[string]string{}
			}
			s.node.AWS.Endpoints[e.Key] = text
		}
	}
	v := s.root.Get("awsCredentials")
	s.Entries(v, "awsCredentials")
	if !v.Is(cfn.Map) {
		return
	}
	s.CheckKeys(v, "awsCredentials", Settings["awsCredentials"])
	s.readKeys(v, "awsCredentials", &s.node.AWS.AccessKeyID, &s.node.AWS.SecretAccessKey, &s.node.AWS.SessionToken)
}

// readKeys reads a key pair and its session token.
func (s *reader) readKeys(v *cfn.Value, what string, id, secret, token *string) {
	for _, f := range []struct {
		key  string
		into *string
	}{{"accessKeyId", id}, {"secretAccessKey", secret}, {"sessionToken", token}} {
		if text, ok := s.Text(v.Get(f.key), what+": "+f.key); ok {
			*f.into = text
		}
	}
	if (*id == "") != (*secret == "") {
		s.Faultf(v.Place, "%s: accessKeyId and secretAccessKey belong together", what)
	}
}

// readVPCLinks reads vpcLinks: by name a target, a list of targets, or a map of targets and healthCheck.
func (s *reader) readVPCLinks() {
	for _, e := range s.Entries(s.root.Get("vpcLinks"), "vpcLinks") {
		link := VPCLink{Name: e.Key, Place: e.Place}
		what := "VPC link " + e.Key
		targets := e.Value
		if targets.Is(cfn.Map) {
			s.CheckKeys(targets, what, Settings["vpcLink"])
			link.Check = s.readHealthCheck(targets.Get("healthCheck"), what+": healthCheck")
			targets = targets.Get("targets")
		}
		if targets.Is(cfn.String) {
			targets = cfn.ListOf(targets.Place, targets)
		}
		switch {
		case s.broken(targets): // which has its fault
		case !targets.Is(cfn.List) || len(targets.Items) == 0 || len(targets.Items) > maxLinkTargets:
			s.Faultf(e.Place, "%s has no `targets`: a list of 1 to %d addresses, such as http://127.0.0.1:9001", what, maxLinkTargets)
		default:
			for _, item := range targets.Items {
				text, ok := s.Text(item, what+": target")
				if ok && !linkTarget.MatchString(text) {
					s.Faultf(item.Place, "%s: target %q: want a host and a port, such as http://127.0.0.1:9001 or 10.0.0.7:8080", what, text)
				}
				link.Targets = append(link.Targets, text)
			}
		}
		s.node.VPCLinks = append(s.node.VPCLinks, link)
	}
}

const (
	maxLinkTargets  = 64
	maxHealthChecks = 100 // in a row
)

// readHealthCheck reads a map of settings, or a switch: on is a check with nothing said about it.
func (s *reader) readHealthCheck(v *cfn.Value, what string) *HealthCheck {
	if v == nil || v.Kind == cfn.Null {
		return nil
	}
	if on, ok := input.ParseSwitch(v.Str()); ok {
		if on {
			return &HealthCheck{}
		}
		return nil
	}
	s.Entries(v, what)
	if !v.Is(cfn.Map) {
		return nil
	}
	s.CheckKeys(v, what, Settings["healthCheck"])
	var c HealthCheck
	c.Path, _ = s.Text(v.Get("path"), what+".path")
	for _, f := range []struct {
		key  string
		into *time.Duration
	}{{"interval", &c.Interval}, {"timeout", &c.Timeout}} {
		if text, ok := s.Text(v.Get(f.key), what+"."+f.key); ok {
			d, ok := input.ParseDuration(text)
			if !ok || d < 100*time.Millisecond || d > time.Hour {
				s.Faultf(v.Get(f.key).Place, "%s.%s: %q is not a duration from 100ms to 1h, such as 10s", what, f.key, text)
			}
			*f.into = d
		}
	}
	for _, f := range []struct {
		key  string
		into *int
	}{{"healthy", &c.Healthy}, {"unhealthy", &c.Unhealthy}} {
		if n, ok := s.Number(v.Get(f.key), what+"."+f.key, 1, maxHealthChecks); ok {
			*f.into = n
		}
	}
	return &c
}

// Package config reads what cleat.yaml says of the node that a project runs on, beside the definition of its APIs: limits,
// logs, users, prices, functions that run elsewhere, where AWS services and VPC links are, and how "cleat serve" listens
// and stops. It checks what is written and
// gives it types; nothing is opened but the files that the settings name. Package project calls it, package server obeys
// it.
package config

import (
	"cleat/internal/awsapi"
	"cleat/internal/cfn"
	"cleat/internal/glob"
	"cleat/internal/input"
)

// Settings are the settings that this package reads, by the object they belong to; those of the file itself are under "".
var Settings = map[string][]string{
	"": {
		"limits", "connectionHeaders", "remoteFunctions", "users", "managementAuth", "logs", "prices", "awsEndpoints",
		"awsCredentials", "vpcLinks", "data", "account", "public", "admin", "tls", "acme", "stop",
	},
	"remoteFunction": {"endpoint", "region", "accessKeyId", "secretAccessKey", "sessionToken"},
	"user":           {"account", "accessKeys", "policies"},
	"accessKey":      {"id", "secret", "sessionToken", "enabled", "expires"},
	"awsCredentials": {"accessKeyId", "secretAccessKey", "sessionToken"},
	"vpcLink":        {"targets", "healthCheck"},
	"healthCheck":    {"path", "interval", "timeout", "healthy", "unhealthy"},
	"prices":         {"file", "freeTier", "roundMinutes"},
	"limits":         limitKeys(),
	"logs":           {"access", "execution", "format", "level"},
	"accessLog":      {"to", "format", "maxSize", "keep"},
	"executionLog":   {"to", "level", "dataTrace", "maxSize", "keep"},
	"public":         append([]string{"domain"}, listenerKeys...),
	"admin":          listenerKeys,
	"certificate":    {"cert", "key"},
	"acme":           {"email", "domains", "directory", "root", "http"},
	"stop":           {"timeout", "delay", "closeRate"},
}

var listenerKeys = []string{"listen", "tls", "socketMode", "trustedProxies", "proxyProtocol", "forwardedHeaders"}

// Node is what a project says of its node.
type Node struct {
	Limits Limits
	// Logs say where access and execution logs go.
	Logs Logs
	// ConnectionHeaders says whether HTTP backends get Cleat's own headers (connection ID and the like) on top of AWS's.
	// True unless cleat.yaml turns it off.
	ConnectionHeaders bool
	// Remote are the functions that run elsewhere, in the order of cleat.yaml; the first pattern that fits counts.
	Remote []RemoteFunction
	// Users are those who may sign requests.
	Users Users
	// Prices are those of AWS, as far as they are set.
	Prices Prices
	// AWS says where the AWS services of integrations are, and VPCLinks where private integrations lead.
	AWS      AWSServices
	VPCLinks []VPCLink
	// Serve is for a node of one's own alone.
	Serve Serve
}

// Default is the node of a project without settings.
func Default() Node {
	return Node{ConnectionHeaders: true, Serve: Serve{Public: Listener{TLS: TLSOff}, Admin: Listener{TLS: TLSOff}, Stop: Stop{Timeout: DefaultStopTimeout}}}
}

// RemoteFunction says where functions run that Cleat does not run itself.
type RemoteFunction struct {
	Pattern  string // of function names, as package glob has them
	Endpoint string // base URL of a Lambda Invoke API
	Region   string // empty: the project's
	// Credentials to sign with. Empty: those of the process that calls.
	AccessKeyID, SecretAccessKey, SessionToken string
	Place                                      cfn.Place
}

// Matches reports whether the function of that name is meant.
func (r RemoteFunction) Matches(function string) bool { return glob.Match(r.Pattern, function) }

// reader is one cleat.yaml being read.
type reader struct {
	*input.Reading
	root   *cfn.Value // resolved
	region string     // of the project
	broken func(*cfn.Value) bool
	node   Node
}

// Read reads the settings of a cleat.yaml whose variables are resolved; broken tells which values stand for those that
// could not be, and have their fault. region is the project's. What is wrong becomes faults of the reading.
func Read(r *input.Reading, root *cfn.Value, region string, broken func(*cfn.Value) bool) Node {
	s := &reader{Reading: r, root: root, region: region, broken: broken, node: Default()}
	s.node.Limits = s.readLimits(root.Get("limits"))
	if v := root.Get("connectionHeaders"); v != nil {
		on, ok := input.ParseSwitch(v.Str())
		if !ok {
			s.Faultf(v.Place, "connectionHeaders must be on or off")
		}
		s.node.ConnectionHeaders = on
	}
	for _, e := range s.Entries(root.Get("remoteFunctions"), "remoteFunctions") {
		s.readRemote(e)
	}
	s.readUsers()
	s.readLogs()
	s.readPrices()
	s.readAWS()
	s.readVPCLinks()
	s.readServe()
	return s.node
}

func (s *reader) readRemote(e cfn.Entry) {
	what := "remote function " + e.Key
	remote := RemoteFunction{Pattern: e.Key, Region: s.region, Place: e.Place}
	v := e.Value
	if v.Is(cfn.Map) {
		s.CheckKeys(v, what, Settings["remoteFunction"])
		if text, ok := s.Text(v.Get("region"), what+": region"); ok {
			remote.Region = text
		}
		s.readKeys(v, what, &remote.AccessKeyID, &remote.SecretAccessKey, &remote.SessionToken)
		v = v.Get("endpoint")
	}
	text, ok := s.Text(v, what+": endpoint")
	if !ok {
		if !s.broken(v) && !v.Is(cfn.List) && !v.Is(cfn.Map) {
			s.Faultf(e.Place, "%s has no `endpoint`: the base URL of a Lambda Invoke API, or aws", what)
		}
		return
	}
	remote.Endpoint = text
	if text == "aws" {
		remote.Endpoint = "https://lambda." + remote.Region + ".amazonaws.com"
	} else if !input.IsHTTPURL(text) {
		s.Faultf(v.Place, "%s: endpoint %q is not an http:// or https:// URL, nor aws", what, text)
	}
	if remote.Region != s.region && !awsapi.IsRegion(remote.Region) {
		s.Faultf(e.Place, "%s: %q is not a region, such as eu-west-1", what, remote.Region)
	}
	s.node.Remote = append(s.node.Remote, remote)
}

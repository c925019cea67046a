package runner

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"

	"cleat/test/compat/scenario"
)

// Target is something that serves the APIs of scenarios.
type Target interface {
	// Name is what the table calls it.
	Name() string
	// Lacks says why a target cannot run a scenario, "" when it can.
	Lacks(s *scenario.Scenario) string
	// Deploy serves the API of a scenario, whose backends are at a URL, until the Deployment is closed.
	Deploy(ctx context.Context, s *scenario.Scenario, backends string) (*Deployment, error)
}

// Deployment is a scenario's API where a client can reach it.
type Deployment struct {
	Endpoint   *url.URL // ws://host:port/stage or wss://…
	Management *url.URL // http://host:port/stage or https://…
	// Known are the values of placeholders that the target knows: apiId, region and the like.
	Known map[string]string
	// Sign signs a request to the management API; nil where none is needed.
	Sign func(method string, u *url.URL, body []byte) (header []scenario.Field, err error)
	// Redeploy gives the API another definition; nil where that cannot be.
	Redeploy func(ctx context.Context, api string) error
	// Close ends it. It is called once.
	Close func() error
}

// secure tells whether an endpoint speaks TLS.
func secure(u *url.URL) bool { return u.Scheme == "wss" || u.Scheme == "https" }

// address is what to dial for an endpoint.
func address(u *url.URL) string {
	port := u.Port()
	if port == "" {
		if port = "80"; secure(u) {
			port = "443"
		}
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// Remote is a target that somebody else has deployed the scenarios' APIs to.
type Remote struct {
	name      string
	endpoints func(scenarioName string) (endpoint, management string)
	// Has are the needs that the target can meet.
	has  map[scenario.Need]bool
	sign func(method string, u *url.URL, body []byte) ([]scenario.Field, error)
}

// NewRemote returns a target whose endpoints follow a pattern, in which {scenario} and {name} stand for a scenario's
// name as it is and with its slash as a hyphen. An empty management is the endpoint over http(s).
func NewRemote(name, endpoint, management string) *Remote {
	fill := func(pattern, scenarioName string) string {
		return strings.NewReplacer("{scenario}", scenarioName, "{name}", StackName(scenarioName)).Replace(pattern)
	}
	return &Remote{name: name, endpoints: func(s string) (string, string) { return fill(endpoint, s), fill(management, s) }}
}

// ReadRemote returns a target whose endpoints are listed, one scenario a line: its name or its stack's, the WebSocket URL, and the
// management URL if it is not the same over https.
func ReadRemote(name string, list io.Reader) (*Remote, error) {
	found := map[string][2]string{}
	lines := bufio.NewScanner(list)
	for n := 1; lines.Scan(); n++ {
		f := strings.Fields(lines.Text())
		switch {
		case len(f) == 0 || strings.HasPrefix(f[0], "#"):
		case len(f) == 2:
			found[StackName(f[0])] = [2]string{f[1]}
		case len(f) == 3:
			found[StackName(f[0])] = [2]string{f[1], f[2]}
		default:
			return nil, fmt.Errorf("line %d: want a scenario, its endpoint and perhaps its management endpoint", n)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return &Remote{name: name, endpoints: func(s string) (string, string) { e := found[StackName(s)]; return e[0], e[1] }}, nil
}

// Can says what the target is capable of beyond serving an API.
func (r *Remote) Can(needs ...scenario.Need) *Remote {
	if r.has == nil {
		r.has = map[scenario.Need]bool{}
	}
	for _, n := range needs {
		r.has[n] = true
	}
	return r
}

// SignWith sets how management requests are signed.
func (r *Remote) SignWith(sign func(method string, u *url.URL, body []byte) ([]scenario.Field, error)) *Remote {
	r.sign = sign
	return r
}

// StackName is a scenario's name where slashes are not allowed.
func StackName(scenarioName string) string { return strings.ReplaceAll(scenarioName, "/", "-") }

// Name implements Target.
func (r *Remote) Name() string { return r.name }

// Lacks implements Target.
func (r *Remote) Lacks(s *scenario.Scenario) string {
	for _, n := range s.Needs {
		if !r.has[n] {
			return n.Explain()
		}
	}
	if endpoint, _ := r.endpoints(s.Name); endpoint == "" {
		return "it is not deployed there"
	}
	return ""
}

// Deploy implements Target: it finds what is deployed.
func (r *Remote) Deploy(_ context.Context, s *scenario.Scenario, _ string) (*Deployment, error) {
	endpoint, management := r.endpoints(s.Name)
	u, err := parseEndpoint(endpoint, "ws", "wss")
	if err != nil {
		return nil, err
	}
	if management == "" {
		management = "http" + strings.TrimPrefix(endpoint, "ws")
	}
	m, err := parseEndpoint(management, "http", "https")
	if err != nil {
		return nil, err
	}
	return &Deployment{Endpoint: u, Management: m, Known: map[string]string{}, Sign: r.sign, Close: func() error { return nil }}, nil
}

var errEndpoint = errors.New("want an absolute URL")

func parseEndpoint(text string, schemes ...string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	for _, scheme := range schemes {
		if u.Scheme == scheme && u.Host != "" {
			u.Path = strings.TrimSuffix(u.Path, "/")
			return u, nil
		}
	}
	return nil, fmt.Errorf("%q: %w that begins with %s://", text, errEndpoint, strings.Join(schemes, ":// or "))
}

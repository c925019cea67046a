package listen

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"cleat/internal/apigw"
)

// Directory is what Resolve must know of the APIs that a node serves. It is read several times per call, so an
// implementation should be immutable.
type Directory interface {
	// HasAPI tells whether the node serves an API.
	HasAPI(id apigw.APIID) bool
	// Stages are the names of an API's stages, in any order; empty for an unknown API.
	Stages(id apigw.APIID) []string
	// Default is the API that an address without an API means: the one named so, or the only one.
	Default() (apigw.APIID, bool)
	// Mappings are the API mappings, in any order, of the custom domain name that a host means. The host is in the form of
	// HostName. ok tells whether it means one.
	Mappings(host string) (mappings []apigw.APIMapping, ok bool)
	// EndpointDisabled tells whether the default endpoint of an API's stage is closed (disableExecuteApiEndpoint of the
	// deployment that the stage points at).
	EndpointDisabled(id apigw.APIID, stage string) bool
}

// Aliaser is what a Directory may be too: it says which of the node's APIs stands in for one that only AWS has. With
// it, code that bears the host name of the deployed API reaches the local one.
type Aliaser interface {
	// Alias returns the stand-in for an API that HasAPI does not know, and whether there is one. It is asked for hosts
	// in Amazon's own domain only: any other name is somebody's who runs Cleat, and a wrong ID in it is a mistake.
	Alias(id apigw.APIID) (apigw.APIID, bool)
}

// Domainer is what a Directory may be too: it says below which domain of the user's own every API has a name.
type Domainer interface {
	// Domain is that domain, in the form of HostName; empty: none.
	Domain() string
}

// Stager is what a Directory may be too: it looks a stage up where others would have to list all of an API's.
type Stager interface {
	HasStage(id apigw.APIID, stage string) bool
}

// Form is the way in which an address named its API and stage.
type Form int

// The forms of an address, for the API a1b2c3d4e5 with the stage dev.
const (
	FormNone       Form = iota // the zero Target
	FormHost                   // a1b2c3d4e5.execute-api.{region}.{anything}/dev, and a1b2c3d4e5.{domain}/dev
	FormPath                   // /a1b2c3d4e5/dev on any other host
	FormStage                  // /dev: the default API
	FormRoot                   // /: the only stage of the default API
	FormConnection             // /dev/@connections/{id} and /@connections/{id}: the connection ID tells the rest
	FormDomain                 // chat.example.com/{mappingKey}: a custom domain name
	FormHealth                 // chat.example.com/ping: the health check of every custom domain name, no API at all
)

// Target is what an address means.
type Target struct {
	// API is empty in FormConnection: the owner of the connection ID knows it. It is in FormHealth too.
	API apigw.APIID
	// Stage is as the address has it, decoded. In FormConnection it may be empty, and nobody has checked that any
	// API has it.
	Stage string
	// Rest is the escaped path behind the stage: "" for the socket itself, "/@connections/{id}" for the management
	// API, "/@connections" for its list. "%40connections" is spelled "@connections" here; the rest is as it came,
	// without a trailing slash.
	Rest string
	Form Form
}

// pathConnections is the segment at which the management API begins (spec management-api §1).
const pathConnections = "@connections"

var (
	errUnknownAPI   = errors.New("the host names an API that this node does not have")
	errUnknownStage = errors.New("the address names no stage of an API of this node")
	errNoDefault    = errors.New("the address names no API, and this node has no default one")
	errNoSuchPath   = errors.New("below a stage there is only the management API")
	errDisabled     = errors.New("the default endpoint of this API is disabled (disableExecuteApiEndpoint): only its custom domain names lead to it")
)

// Resolve says which API and stage an address means. host is the Host header, with or without a port, in any case;
// escapedPath is the path as it came (url.URL.EscapedPath). Every failure is an *apigw.Error of KindForbidden, as on
// AWS (spec data-plane §2 steps 1 and 2), except KindBadRequest for a path that does not unescape, and *NoRouteError.
//
// The host decides first: a custom domain name has its mappings (see resolveDomain) and nothing else; a name of AWS's
// form, or below the node's own domain (see Domainer), names the API, and the path must be /{stage} (spec data-plane §1). On any other host the path decides. Its readings are tried in this order, so one address has one meaning:
//
//  1. /{apiId}/{stage}, when the API is the node's and has that stage. So a stage of the default API that bears the ID
//     of another API is shadowed only where that other API has the stage that follows.
//  2. /{stage}/@connections/{id} and /@connections/{id}: the connection ID tells API and stage, even if there is a
//     default API, because the connection may belong to another one.
//  3. /{stage} of the default API.
//  4. / when the default API has exactly one stage.
//
// All of these stand for the API's default endpoint and are closed with it, but for the second: it is Cleat's own, and
// what it reaches is a connection that was let in already.
//
// One trailing slash is tolerated. Segments are compared decoded, so %64ev means dev.
func Resolve(d Directory, host, escapedPath string) (Target, error) {
	if mappings, ok := d.Mappings(HostName(host)); ok {
		return resolveDomain(d, mappings, escapedPath)
	}
	var room [maxSegments]segment
	segments, err := splitPath(escapedPath, maxSegments, room[:])
	if err != nil {
		return Target{}, err
	}
	var t Target
	id, ok := hostAPI(host)
	if !ok {
		id, ok = domainAPI(d, host)
	}
	if ok {
		t, err = resolveHost(d, host, id, segments)
	} else {
		t, err = resolvePath(d, segments)
	}
	if err == nil && t.API != "" && d.EndpointDisabled(t.API, t.Stage) {
		return Target{}, forbidden(errDisabled)
	}
	return t, err
}

func resolveHost(d Directory, host string, id apigw.APIID, segments []segment) (Target, error) {
	if !d.HasAPI(id) {
		alias, ok := apigw.APIID(""), false
		if a, is := d.(Aliaser); is && IsAWSHost(host) {
			alias, ok = a.Alias(id)
		}
		if !ok {
			return Target{}, forbidden(errUnknownAPI)
		}
		id = alias
	}
	if len(segments) == 0 || !hasStage(d, id, segments[0].text()) {
		return Target{}, forbidden(errUnknownStage)
	}
	return target(id, segments[0].text(), segments[1:], FormHost)
}

func resolvePath(d Directory, segments []segment) (Target, error) {
	if len(segments) >= 2 && hasStage(d, apigw.APIID(segments[0].text()), segments[1].text()) {
		return target(apigw.APIID(segments[0].text()), segments[1].text(), segments[2:], FormPath)
	}
	for i := range min(2, len(segments)) {
		if segments[i].text() != pathConnections {
			continue
		}
		stage := ""
		if i == 1 {
			stage = segments[0].text()
		}
		return target("", stage, segments[i:], FormConnection)
	}
	id, ok := d.Default()
	if !ok {
		return Target{}, forbidden(errNoDefault)
	}
	if len(segments) == 0 {
		if stages := d.Stages(id); len(stages) == 1 {
			return Target{API: id, Stage: stages[0], Form: FormRoot}, nil
		}
		return Target{}, forbidden(errUnknownStage)
	}
	if !hasStage(d, id, segments[0].text()) {
		return Target{}, forbidden(errUnknownStage)
	}
	return target(id, segments[0].text(), segments[1:], FormStage)
}

// target ends a reading of the path: behind the stage there is nothing, or the management API with at most one
// connection ID.
func target(id apigw.APIID, stage string, rest []segment, form Form) (Target, error) {
	t := Target{API: id, Stage: stage, Form: form}
	switch {
	case len(rest) == 0:
		return t, nil
	case len(rest) == 1 && rest[0].text() == pathConnections:
		t.Rest = rest[0].onwards()
		return t, nil
	case len(rest) == 2 && rest[0].text() == pathConnections && rest[1].raw != "":
		t.Rest = rest[0].onwards()
		return t, nil
	}
	return Target{}, forbidden(errNoSuchPath)
}

func hasStage(d Directory, id apigw.APIID, stage string) bool {
	if s, ok := d.(Stager); ok {
		return stage != "" && s.HasStage(id, stage)
	}
	return stage != "" && d.HasAPI(id) && slices.Contains(d.Stages(id), stage)
}

// segment is one part of a path.
type segment struct {
	raw  string // as it came; its escapes are sound
	from string // the path from the slash in front of it on, as it came, without a trailing slash
}

// text is the segment decoded.
func (s segment) text() string {
	text, err := url.PathUnescape(s.raw)
	if err != nil {
		return s.raw // not reached: splitPath has seen to it
	}
	return text
}

// onwards is the path from a segment on that means pathConnections, spelled so.
func (s segment) onwards() string {
	if s.raw == pathConnections {
		return s.from
	}
	return "/" + pathConnections + s.from[len("/")+len(s.raw):]
}

// maxSegments is one more than the longest address has; what is longer means nothing.
const maxSegments = 5

// splitPath cuts an escaped path at its slashes, less a trailing one, into at most so many segments; the last holds the
// rest. "/" and "" have no segments. They are put into room as far as it goes.
func splitPath(escaped string, most int, room []segment) ([]segment, error) {
	if escaped == "" || escaped == "/" {
		return nil, nil
	}
	if escaped[0] != '/' {
		return nil, forbidden(errNoSuchPath)
	}
	segments := room[:0]
	for from := strings.TrimSuffix(escaped, "/"); from != ""; {
		raw := from[1:]
		if end := strings.IndexByte(raw, '/'); end >= 0 && len(segments) < most-1 {
			raw = raw[:end]
		}
		if !isSound(raw) {
			_, err := url.PathUnescape(raw) // says what is wrong
			return nil, &apigw.Error{Kind: apigw.KindBadRequest, Err: fmt.Errorf("unescape the path: %w", err)}
		}
		segments = append(segments, segment{raw: raw, from: from})
		from = from[1+len(raw):]
	}
	return segments, nil
}

func forbidden(cause error) error { return &apigw.Error{Kind: apigw.KindForbidden, Err: cause} }

// labelExecute is the second label of every default endpoint.
const labelExecute = "execute-api"

// hostAPI returns the API that a host of AWS's form names: {apiId}.execute-api.{region}.{anything}, which includes
// {apiId}.execute-api.localhost (spec data-plane §1).
func hostAPI(host string) (apigw.APIID, bool) {
	id, rest, ok := strings.Cut(HostName(host), ".")
	if !ok || id == "" {
		return "", false
	}
	label, domain, ok := strings.Cut(rest, ".")
	if !ok || label != labelExecute || domain == "" {
		return "", false
	}
	return apigw.APIID(id), true
}

// domainAPI returns the API that a host below the directory's own domain names: {apiId}.{domain}.
func domainAPI(d Directory, host string) (apigw.APIID, bool) {
	own, ok := d.(Domainer)
	if !ok || own.Domain() == "" {
		return "", false
	}
	id, ok := strings.CutSuffix(HostName(host), "."+own.Domain())
	return apigw.APIID(id), ok && id != "" && !strings.Contains(id, ".")
}

// IsAWSHost tells whether a host is a default endpoint in Amazon's own domain,
// {apiId}.execute-api.{region}.amazonaws.com or .amazonaws.com.cn (spec data-plane §1), whatever API it names.
func IsAWSHost(host string) bool {
	name := HostName(host)
	if _, ok := hostAPI(name); !ok {
		return false
	}
	return strings.HasSuffix(name, ".amazonaws.com") || strings.HasSuffix(name, ".amazonaws.com.cn")
}

// HostName is a Host header as a name to compare: in lower case, without port, brackets and trailing dot.
func HostName(host string) string {
	if strings.HasPrefix(host, "[") {
		if end := strings.IndexByte(host, ']'); end > 0 {
			return strings.ToLower(host[1:end])
		}
		return strings.ToLower(host)
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.IndexByte(host, ':') == i {
		host = host[:i]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// isLocalhost tells whether a name is localhost or below it (RFC 6761 §6.3: such names never leave the machine).
func isLocalhost(name string) bool {
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

// isAddress tells whether a name is an IP address.
func isAddress(name string) bool {
	_, err := netip.ParseAddr(name)
	return err == nil
}

// Owns tells whether a host, as HostName has it, is the name of something that the node serves: a custom domain name, or that
// of one of its APIs below its own domain.
func Owns(d Directory, name string) bool {
	if _, ok := d.Mappings(name); ok {
		return true
	}
	id, ok := domainAPI(d, name)
	return ok && d.HasAPI(id)
}

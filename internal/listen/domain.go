package listen

import (
	"errors"
	"strings"

	"cleat/internal/apigw"
)

var (
	errNoMapping  = errors.New("no API mapping of this custom domain name fits the path, and there is none for the root")
	errMappedAway = errors.New("the API mapping leads to a stage that is not there or has no deployment")
)

// NoRouteError tells that there is nothing at a path behind a custom domain name's mapping: most often the stage was
// left in the path, which the mapping stands for already.
type NoRouteError struct {
	Route string // the path behind the mapping, decoded, without a slash in front
}

func (e *NoRouteError) Error() string {
	return "behind the API mapping there is only the management API, not " + e.Route + "; the mapping stands for the stage, which must not be in the path"
}

// Answer is what AWS says to a request of that method (spec data-plane §1.1, management-api §4).
func (e *NoRouteError) Answer(method string) error {
	return &apigw.Error{Kind: apigw.KindNotFound, Message: "No method found matching route " + e.Route + " for http method " + method + ".", Err: e}
}

// maxMapped is one more than the most segments that an address with a mapping key has: half of the key's bytes may be
// slashes, and "@connections" and an ID follow.
const maxMapped = apigw.QuotaMappingKey/2 + 4

// resolveDomain says what a path means under a custom domain name (spec data-plane §1.1). The longest mapping key that
// is a beginning of the path wins, segment by segment; an empty key fits everything. What follows the key is nothing, a
// socket, or the management API. /ping and /sping belong to the health checks whatever the mappings are.
func resolveDomain(d Directory, mappings []apigw.APIMapping, escapedPath string) (Target, error) {
	var room [maxSegments]segment
	segments, err := splitPath(escapedPath, maxMapped, room[:])
	if err != nil {
		return Target{}, err
	}
	if len(segments) == 1 && apigw.IsHealthCheck(segments[0].text()) {
		return Target{Form: FormHealth}, nil
	}
	best, length := -1, -1
	for i := range mappings {
		if n, ok := covers(mappings[i].APIMappingKey, segments); ok && n > length {
			best, length = i, n
		}
	}
	if best < 0 {
		return Target{}, forbidden(errNoMapping)
	}
	m := &mappings[best]
	if !hasStage(d, m.APIID, m.Stage) {
		return Target{}, forbidden(errMappedAway)
	}
	t, err := target(m.APIID, m.Stage, segments[length:], FormDomain)
	if err != nil {
		return Target{}, &NoRouteError{Route: joined(segments[length:])}
	}
	return t, nil
}

// covers tells whether a mapping key is a beginning of a path, and how many segments it has.
func covers(key string, segments []segment) (n int, ok bool) {
	if key == "" {
		return 0, true
	}
	for part := range strings.SplitSeq(key, "/") {
		if n == len(segments) || segments[n].text() != part {
			return 0, false
		}
		n++
	}
	return n, true
}

func joined(segments []segment) string {
	var b strings.Builder
	for i, s := range segments {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(s.text())
	}
	return b.String()
}

package awsapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"cleat/internal/apigw"
)

// Verifying takes three steps, so that nothing is computed for a request that could not pass: ReadSignature reads what a
// request claims, Signature.Check compares the claim's scope and time, SigV4.Verify computes (spec management-api §1, §2
// and §5, events-and-integrations §4). Between the first and the last the caller looks the access key up.

// SignedRequest is a request as it came, for its signature to be read and verified. Its head must be bounded by who read it.
type SignedRequest struct {
	Method  string
	Path    string       // escaped, as it was sent
	Query   string       // raw
	Headers apigw.Fields // in the order they came, Host included
	// Body returns the whole body; it is called only once everything but the signature is in order. Its error is handed on.
	// Nil: there is none.
	Body func() ([]byte, error)
}

// Signature is what a request claims about its sender. Nothing of it is proven before SigV4.Verify has returned nil.
type Signature struct {
	AccessKeyID  string
	SessionToken string // empty without one
	Presigned    bool   // it is in the query string rather than in the Authorization header
	Time         time.Time

	scope         signingScope // without the secret
	terminator    string
	date          string        // as the string to sign has it
	expires       time.Duration // of a presigned request; negative when it does not say
	signedHeaders []string
	signature     string
}

// Bounds of what a claim may hold.
const (
	maxSignedHeaders = 100
	maxClockSkew     = 5 * time.Minute
	maxExpires       = 7 * 24 * time.Hour
	maxDump          = 16 << 10 // bytes of a canonical request that is shown to its sender
)

// The query parameters of a presigned request.
const (
	paramAlgorithm     = "X-Amz-Algorithm"
	paramCredential    = "X-Amz-Credential" //nolint:gosec // G101: a name, no credential
	paramDate          = "X-Amz-Date"
	paramExpires       = "X-Amz-Expires"
	paramSignedHeaders = "X-Amz-SignedHeaders"
	paramSignature     = "X-Amz-Signature"
	paramToken         = "X-Amz-Security-Token" //nolint:gosec // G101: a name, no credential
)

// ReadSignature reads the signature of a request, from its Authorization header or its query string. It fails with an
// *apigw.Error of kind KindMissingAuthenticationToken when there is neither and KindIncompleteSignature when what is there
// is malformed, with AWS's words.
func ReadSignature(r *SignedRequest) (*Signature, error) {
	params, err := presignedParams(r.Query)
	if err != nil {
		return nil, err
	}
	var header []string
	for _, f := range r.Headers {
		if strings.EqualFold(f.Name, "Authorization") {
			header = append(header, f.Value)
		}
	}
	switch {
	case len(header) == 0 && len(params) == 0:
		return nil, &apigw.Error{Kind: apigw.KindMissingAuthenticationToken}
	case len(header) > 0 && len(params) > 0:
		return nil, incomplete("Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter or the Authorization header should be specified.")
	case len(header) > 1:
		return nil, incomplete("Authorization header must be present once only.")
	case len(header) == 1:
		return readHeaderForm(r, header[0])
	}
	return readQueryForm(params)
}

func incomplete(format string, args ...any) error {
	return &apigw.Error{Kind: apigw.KindIncompleteSignature, Message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error {
	return &apigw.Error{Kind: apigw.KindInvalidSignature, Message: fmt.Sprintf(format, args...)}
}

// readHeaderForm reads "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…".
func readHeaderForm(r *SignedRequest, value string) (*Signature, error) {
	algorithm, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	parts := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		name, v, ok := strings.Cut(part, "=")
		if !ok {
			return nil, incomplete("Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '%s'.", hidden(part))
		}
		if _, again := parts[name]; again {
			return nil, incomplete("Authorization header holds parameter '%s' twice. (Hashed with SHA-256 and encoded with Base64) Authorization=%s", printable(name), hidden(value))
		}
		parts[name] = v
	}
	date, dateErr := headerTime(r.Headers)
	var missing strings.Builder
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if parts[name] == "" {
			fmt.Fprintf(&missing, "Authorization header requires '%s' parameter. ", name)
		}
	}
	if errors.Is(dateErr, errNoDate) {
		missing.WriteString(dateErr.Error() + " ")
	}
	if missing.Len() > 0 {
		return nil, incomplete("%s(Hashed with SHA-256 and encoded with Base64) Authorization=%s", missing.String(), hidden(value))
	}
	if algorithm != sigv4Algorithm {
		return nil, incomplete("Unsupported AWS 'algorithm': '%s'.", printable(algorithm))
	}
	if dateErr != nil {
		return nil, dateErr
	}
	s := &Signature{date: date, expires: -1, signature: parts["Signature"]}
	if err := s.read(parts["Credential"], parts["SignedHeaders"]); err != nil {
		return nil, err
	}
	s.SessionToken, _ = r.Headers.LastFold(headerSecurityToken)
	if s.SessionToken != "" && !slices.Contains(s.signedHeaders, headerSecurityToken) {
		return nil, invalid("'X-Amz-Security-Token' must be a 'SignedHeader' in the AWS Authorization.")
	}
	return s, nil
}

// hidden shows that a value was there without giving it away, as AWS does: what should have been a signature may be
// another kind of secret.
func hidden(value string) string {
	sum := sha256.Sum256([]byte(value))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// printable is a client's word within a message, cut where it is long.
func printable(s string) string {
	const most = 256
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "?")
}

var errNoDate = errors.New("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.") //nolint:staticcheck,revive // AWS's sentence

// headerTime is the time of a request in ISO 8601's basic form: its X-Amz-Date, or else its Date.
func headerTime(headers apigw.Fields) (string, error) {
	for _, name := range []string{headerDate, "date"} {
		date, ok := headers.LastFold(name)
		if !ok {
			continue
		}
		if first := slices.IndexFunc(headers, func(f apigw.Field) bool { return strings.EqualFold(f.Name, name) }); headers[first].Value != date {
			return "", incomplete("Header '%s' must have one value.", name)
		}
		if name == headerDate {
			return date, nil
		}
		if t, err := http.ParseTime(date); err == nil {
			date = t.UTC().Format(amzDateLayout)
		}
		return date, nil
	}
	return "", errNoDate
}

// presignedParams are the parameters of a presigned request, decoded; nil when the query string is that of another.
func presignedParams(query string) (map[string]string, error) {
	if !strings.Contains(query, "X-Amz-") {
		return nil, nil //nolint:nilnil // an empty map would say the same
	}
	params := map[string]string{}
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		if !slices.Contains([]string{paramAlgorithm, paramCredential, paramDate, paramExpires, paramSignedHeaders, paramSignature, paramToken}, name) {
			continue
		}
		if _, again := params[name]; again {
			return nil, incomplete("AWS query-string parameter '%s' must be present once only. Re-examine the query-string parameters.", name)
		}
		v, err := url.PathUnescape(value) // a bare "+" can only be part of a token
		if err != nil {
			return nil, incomplete("AWS query-string parameter '%s' cannot be decoded. Re-examine the query-string parameters.", name)
		}
		params[name] = v
	}
	for _, name := range []string{paramAlgorithm, paramCredential, paramSignature} {
		if _, ok := params[name]; ok {
			return params, nil
		}
	}
	return nil, nil //nolint:nilnil // as above
}

func readQueryForm(params map[string]string) (*Signature, error) {
	var missing strings.Builder
	for _, name := range []string{paramAlgorithm, paramCredential, paramSignature, paramSignedHeaders, paramDate} {
		if params[name] == "" {
			fmt.Fprintf(&missing, "AWS query-string parameters must include '%s'. ", name)
		}
	}
	if missing.Len() > 0 {
		return nil, incomplete("%sRe-examine the query-string parameters.", missing.String())
	}
	if a := params[paramAlgorithm]; a != sigv4Algorithm {
		return nil, incomplete("Unsupported AWS 'algorithm': '%s'.", printable(a))
	}
	s := &Signature{Presigned: true, SessionToken: params[paramToken], date: params[paramDate], expires: -1, signature: params[paramSignature]}
	if text, ok := params[paramExpires]; ok {
		n, err := strconv.ParseInt(text, 10, 64)
		switch {
		case err != nil:
			return nil, incomplete("X-Amz-Expires should be a number")
		case n < 0:
			return nil, incomplete("X-Amz-Expires must be non-negative")
		case n > int64(maxExpires/time.Second):
			return nil, incomplete("X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than %d seconds", maxExpires/time.Second)
		}
		s.expires = time.Duration(n) * time.Second
	}
	return s, s.read(params[paramCredential], params[paramSignedHeaders])
}

// read takes the claim's credential and list of headers apart, and its date.
func (s *Signature) read(credential, signedHeaders string) error {
	parts := strings.Split(credential, "/")
	if len(parts) != 5 || parts[0] == "" {
		return incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'", printable(credential))
	}
	s.AccessKeyID, s.terminator = parts[0], parts[4]
	s.scope = signingScope{date: parts[1], region: parts[2], service: parts[3]}
	t, err := time.Parse(amzDateLayout, s.date)
	if err != nil || len(s.date) != len(amzDateLayout) {
		return incomplete("Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", printable(s.date))
	}
	s.Time = t
	s.signedHeaders = strings.Split(signedHeaders, ";")
	if len(s.signedHeaders) > maxSignedHeaders {
		return incomplete("'SignedHeaders' must not name more than %d headers.", maxSignedHeaders)
	}
	for i, name := range s.signedHeaders {
		if name == "" || name != strings.ToLower(name) || slices.Contains(s.signedHeaders[:i], name) {
			return incomplete("'SignedHeaders' must be different header names in lower case, separated by semicolons. Got '%s'.", printable(signedHeaders))
		}
	}
	return nil
}

// Check compares a claim with where and when the request arrived. An empty region accepts any. It fails with an
// *apigw.Error of kind KindInvalidSignature and AWS's words.
func (s *Signature) Check(region, service string, now time.Time) error {
	var faults strings.Builder
	if region != "" && s.scope.region != region {
		fmt.Fprintf(&faults, "Credential should be scoped to a valid region, not '%s'. ", printable(s.scope.region))
	}
	if s.scope.service != service {
		fmt.Fprintf(&faults, "Credential should be scoped to correct service: '%s'. ", service)
	}
	if s.terminator != sigv4Terminator {
		fmt.Fprintf(&faults, "Credential should be scoped with a valid terminator: '%s', not '%s'. ", sigv4Terminator, printable(s.terminator))
	}
	if day := s.date[:len("20060102")]; s.scope.date != day {
		fmt.Fprintf(&faults, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'. ", printable(s.scope.date), day, s.date)
	}
	if !slices.Contains(s.signedHeaders, "host") {
		faults.WriteString("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization. ")
	}
	if faults.Len() > 0 {
		return invalid("%s", faults.String())
	}
	return s.checkTime(now.UTC())
}

func (s *Signature) checkTime(now time.Time) error {
	at := func(t time.Time) string { return t.Format(amzDateLayout) }
	oldest, allowance := now.Add(-maxClockSkew), "5 min."
	if s.expires >= 0 {
		oldest, allowance = now.Add(-s.expires), fmt.Sprintf("%d sec.", s.expires/time.Second)
	}
	newest := now.Add(maxClockSkew)
	switch {
	case s.Time.Before(oldest.Truncate(time.Second)):
		return invalid("Signature expired: %s is now earlier than %s (%s - %s)", s.date, at(oldest), at(now), allowance)
	case s.Time.After(newest):
		return invalid("Signature not yet current: %s is still later than %s (%s + 5 min.)", s.date, at(newest), at(now))
	}
	return nil
}

// Verify computes the signature that the request would have if the owner of the secret had sent it, and compares. It
// fails with an *apigw.Error of kind KindInvalidSignature that shows the sender, as AWS does, what should have been
// signed, or with the error of the request's Body.
func (s *SigV4) Verify(r *SignedRequest, claim *Signature, secret string) error {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = r.Body(); err != nil {
			return err
		}
	}
	hash := hexHash(body)
	if given, ok := r.Headers.LastFold(headerContentHash); ok && given != hash {
		// UNSIGNED-PAYLOAD and the streaming forms are S3's (spec management-api §5).
		return invalid("The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	scope := claim.scope
	scope.secret = secret

	// Headers, their list and the body's hash are the same in every reading of path and query.
	list := strings.Join(claim.signedHeaders, ";")
	tail := make([]byte, 0, 1024)
	for _, name := range claim.signedHeaders {
		tail = appendCanonicalHeader(tail, name, r.Headers)
	}
	tail = append(tail, '\n')
	tail = append(append(tail, list...), '\n')
	tail = append(tail, hash...)

	skip := ""
	if claim.Presigned {
		skip = paramSignature
	}
	var shown []byte
	buf := make([]byte, 0, len(r.Method)+2*len(r.Path)+2*len(r.Query)+len(tail)+len("\n\n\n"))
	for _, plus := range []byte(queryReadings(r.Query)) {
		query := appendCanonicalQuery(nil, r.Query, skip, plus)
		for _, path := range pathReadings(r.Path) {
			buf = append(append(buf[:0], r.Method...), '\n')
			buf = append(append(buf, path...), '\n')
			buf = append(append(buf, query...), '\n')
			buf = append(buf, tail...)
			if hmac.Equal(s.sign(buf, claim.date, scope), []byte(claim.signature)) {
				return nil
			}
			if shown == nil {
				shown = slices.Clone(buf)
			}
		}
	}
	return mismatch(claim, shown, stringToSign(shown, claim.date, scope))
}

// pathReadings are the canonical URIs under which a path may have been signed (spec management-api §1): encoded as it
// came, encoded once it was decoded, and as it came. SDKs differ in whether they escape "@" before they sign. Where decoding
// makes slashes the path would be another one, which the signature of that must not open.
func pathReadings(path string) [][]byte {
	encoded := func(path string) []byte { return appendCanonicalPath(make([]byte, 0, len(path)+len(path)/4), path) }
	readings := append(make([][]byte, 0, 3), encoded(path))
	add := func(reading []byte) {
		if !slices.ContainsFunc(readings, func(r []byte) bool { return string(r) == string(reading) }) {
			readings = append(readings, reading)
		}
	}
	if decoded, err := url.PathUnescape(path); err == nil && strings.Count(decoded, "/") == strings.Count(path, "/") {
		add(encoded(decoded))
	}
	if path != "" {
		add([]byte(path))
	}
	return readings
}

// queryReadings are what a raw "+" may have meant to the signer.
func queryReadings(query string) string {
	if strings.Contains(query, "+") {
		return " +"
	}
	return " "
}

// mismatchError is the refusal of a signature. Its own text is for logs: what the sender is shown holds the whole
// request, session tokens included.
type mismatchError struct {
	accessKeyID string
	shown       *apigw.Error
}

func (m *mismatchError) Error() string {
	return fmt.Sprintf("the signature of access key %q does not match the request: a wrong secret, or something was changed after signing", m.accessKeyID)
}

func (m *mismatchError) Unwrap() error { return m.shown }

func mismatch(claim *Signature, canonical, toSign []byte) error {
	if len(canonical) > maxDump {
		canonical = canonical[:maxDump]
	}
	return &mismatchError{printable(claim.AccessKeyID), &apigw.Error{
		Kind: apigw.KindInvalidSignature,
		Message: answers[apigw.KindInvalidSignature].text +
			"\n\nThe Canonical String for this request should have been\n'" + strings.ToValidUTF8(string(canonical), "?") +
			"'\n\nThe String-to-Sign should have been\n'" + strings.ToValidUTF8(string(toSign), "?") + "'\n",
	}}
}

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
	"sync"
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
	signedHeaders string        // in lower case, separated by semicolons
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
	s := &Signature{}
	if err := s.Read(r); err != nil {
		return nil, err
	}
	return s, nil
}

// Read is ReadSignature into a Signature of the caller's. What that holds means nothing after an error.
func (s *Signature) Read(r *SignedRequest) error {
	params, err := presignedParams(r.Query)
	if err != nil {
		return err
	}
	header, headers := "", 0
	for _, f := range r.Headers {
		if strings.EqualFold(f.Name, "Authorization") {
			header = f.Value
			headers++
		}
	}
	switch {
	case headers == 0 && len(params) == 0:
		return &apigw.Error{Kind: apigw.KindMissingAuthenticationToken}
	case headers > 0 && len(params) > 0:
		return incomplete("Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter or the Authorization header should be specified.")
	case headers > 1:
		return incomplete("Authorization header must be present once only.")
	case headers == 1:
		return s.readHeaderForm(r, header)
	}
	return s.readQueryForm(params)
}

func incomplete(format string, args ...any) error {
	return &apigw.Error{Kind: apigw.KindIncompleteSignature, Message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error {
	return &apigw.Error{Kind: apigw.KindInvalidSignature, Message: fmt.Sprintf(format, args...)}
}

// readHeaderForm reads "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…".
func (s *Signature) readHeaderForm(r *SignedRequest, value string) error {
	algorithm, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	var credential, signedHeaders, signature string
	var others map[string]bool // names that mean nothing, and must not come twice either
	var seen struct{ credential, signedHeaders, signature bool }
	for part := range strings.SplitSeq(rest, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		name, v, ok := strings.Cut(part, "=")
		if !ok {
			return incomplete("Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '%s'.", hidden(part))
		}
		var again bool
		switch name {
		case "Credential":
			credential, again, seen.credential = v, seen.credential, true
		case "SignedHeaders":
			signedHeaders, again, seen.signedHeaders = v, seen.signedHeaders, true
		case "Signature":
			signature, again, seen.signature = v, seen.signature, true
		default:
			if again = others[name]; others == nil {
				others = map[string]bool{}
			}
			others[name] = true
		}
		if again {
			return incomplete("Authorization header holds parameter '%s' twice. (Hashed with SHA-256 and encoded with Base64) Authorization=%s", printable(name), hidden(value))
		}
	}
	date, dateErr := headerTime(r.Headers)
	var missing strings.Builder
	for _, p := range [...]struct{ name, value string }{{"Credential", credential}, {"Signature", signature}, {"SignedHeaders", signedHeaders}} {
		if p.value == "" {
			missing.WriteString("Authorization header requires '" + p.name + "' parameter. ")
		}
	}
	if errors.Is(dateErr, errNoDate) {
		missing.WriteString(dateErr.Error() + " ")
	}
	if missing.Len() > 0 {
		return incomplete("%s(Hashed with SHA-256 and encoded with Base64) Authorization=%s", missing.String(), hidden(value))
	}
	if algorithm != sigv4Algorithm {
		return incomplete("Unsupported AWS 'algorithm': '%s'.", printable(algorithm))
	}
	if dateErr != nil {
		return dateErr
	}
	*s = Signature{date: date, expires: -1, signature: signature}
	if err := s.read(credential, signedHeaders); err != nil {
		return err
	}
	s.SessionToken, _ = r.Headers.LastFold(headerSecurityToken)
	if s.SessionToken != "" && !s.signs(headerSecurityToken) {
		return invalid("'X-Amz-Security-Token' must be a 'SignedHeader' in the AWS Authorization.")
	}
	return nil
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

func (s *Signature) readQueryForm(params map[string]string) error {
	var missing strings.Builder
	for _, name := range []string{paramAlgorithm, paramCredential, paramSignature, paramSignedHeaders, paramDate} {
		if params[name] == "" {
			fmt.Fprintf(&missing, "AWS query-string parameters must include '%s'. ", name)
		}
	}
	if missing.Len() > 0 {
		return incomplete("%sRe-examine the query-string parameters.", missing.String())
	}
	if a := params[paramAlgorithm]; a != sigv4Algorithm {
		return incomplete("Unsupported AWS 'algorithm': '%s'.", printable(a))
	}
	*s = Signature{Presigned: true, SessionToken: params[paramToken], date: params[paramDate], expires: -1, signature: params[paramSignature]}
	if text, ok := params[paramExpires]; ok {
		n, err := strconv.ParseInt(text, 10, 64)
		switch {
		case err != nil:
			return incomplete("X-Amz-Expires should be a number")
		case n < 0:
			return incomplete("X-Amz-Expires must be non-negative")
		case n > int64(maxExpires/time.Second):
			return incomplete("X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than %d seconds", maxExpires/time.Second)
		}
		s.expires = time.Duration(n) * time.Second
	}
	return s.read(params[paramCredential], params[paramSignedHeaders])
}

// read takes the claim's credential and list of headers apart, and its date.
func (s *Signature) read(credential, signedHeaders string) error {
	var parts [5]string
	n := 0
	for part := range strings.SplitSeq(credential, "/") {
		if n < len(parts) {
			parts[n] = part
		}
		n++
	}
	if n != len(parts) || parts[0] == "" {
		return incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'", printable(credential))
	}
	s.AccessKeyID, s.terminator = parts[0], parts[4]
	s.scope = signingScope{date: parts[1], region: parts[2], service: parts[3]}
	t, err := time.Parse(amzDateLayout, s.date)
	if err != nil || len(s.date) != len(amzDateLayout) {
		return incomplete("Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", printable(s.date))
	}
	s.Time = t
	s.signedHeaders = signedHeaders
	if strings.Count(signedHeaders, ";") >= maxSignedHeaders {
		return incomplete("'SignedHeaders' must not name more than %d headers.", maxSignedHeaders)
	}
	var room [16]string // more names cost an allocation
	before := room[:0]
	for name := range strings.SplitSeq(signedHeaders, ";") {
		if name == "" || name != strings.ToLower(name) || slices.Contains(before, name) {
			return incomplete("'SignedHeaders' must be different header names in lower case, separated by semicolons. Got '%s'.", printable(signedHeaders))
		}
		before = append(before, name)
	}
	return nil
}

// signs tells whether a header is among the signed ones.
func (s *Signature) signs(header string) bool {
	for name := range strings.SplitSeq(s.signedHeaders, ";") {
		if name == header {
			return true
		}
	}
	return false
}

// Check compares a claim with where and when the request arrived. An empty region accepts any. It fails with an
// *apigw.Error of kind KindInvalidSignature and AWS's words.
func (s *Signature) Check(region, service string, now time.Time) error {
	var faults []byte
	if region != "" && s.scope.region != region {
		faults = fmt.Appendf(faults, "Credential should be scoped to a valid region, not '%s'. ", printable(s.scope.region))
	}
	if s.scope.service != service {
		faults = fmt.Appendf(faults, "Credential should be scoped to correct service: '%s'. ", service)
	}
	if s.terminator != sigv4Terminator {
		faults = fmt.Appendf(faults, "Credential should be scoped with a valid terminator: '%s', not '%s'. ", sigv4Terminator, printable(s.terminator))
	}
	if day := s.date[:len("20060102")]; s.scope.date != day {
		faults = fmt.Appendf(faults, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'. ", printable(s.scope.date), day, s.date)
	}
	if !s.signs("host") {
		faults = append(faults, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization. "...)
	}
	if len(faults) > 0 {
		return invalid("%s", faults)
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
	w, _ := workspaces.Get().(*workspace)
	defer w.release()
	w.hash = appendHexHash(w.hash[:0], body)
	if given, ok := r.Headers.LastFold(headerContentHash); ok && given != string(w.hash) {
		// UNSIGNED-PAYLOAD and the streaming forms are S3's (spec management-api §5).
		return invalid("The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	scope := claim.scope
	scope.secret = secret
	key := s.signingKey(scope)
	w.given = append(w.given[:0], claim.signature...)

	// Headers, their list and the body's hash are the same in every reading of path and query.
	w.tail = w.tail[:0]
	for name := range strings.SplitSeq(claim.signedHeaders, ";") {
		w.tail = appendCanonicalHeader(w.tail, name, r.Headers)
	}
	w.tail = append(w.tail, '\n')
	w.tail = append(append(w.tail, claim.signedHeaders...), '\n')
	w.tail = append(w.tail, w.hash...)

	skip := ""
	if claim.Presigned {
		skip = paramSignature
	}
	var shown []byte
	for _, plus := range []byte(queryReadings(r.Query)) {
		w.query = appendCanonicalQuery(w.query[:0], r.Query, skip, plus)
		for n := range pathReadings {
			w.path = appendPathReading(w.path[:0], r.Path, n)
			if len(w.path) == 0 {
				continue
			}
			w.whole = append(append(w.whole[:0], r.Method...), '\n')
			w.whole = append(append(w.whole, w.path...), '\n')
			w.whole = append(append(w.whole, w.query...), '\n')
			w.whole = append(w.whole, w.tail...)
			w.toSign = appendStringToSign(w.toSign[:0], w.whole, claim.date, scope)
			w.mac = key.appendMAC(w.mac[:0], w.toSign)
			if hmac.Equal(w.mac, w.given) {
				return nil
			}
			if shown == nil {
				shown = slices.Clone(w.whole)
			}
		}
	}
	return mismatch(claim, shown, appendStringToSign(nil, shown, claim.date, scope))
}

// workspace is what one Verify computes in. Its contents mean nothing afterwards.
type workspace struct {
	hash, given        []byte // the body's hash, and the signature that came
	path, query, tail  []byte // parts of a canonical request
	whole, toSign, mac []byte // the canonical request, and what becomes of it
}

var workspaces = sync.Pool{New: func() any { return &workspace{} }}

// keepWorkspace bounds the canonical requests whose memory is used again.
const keepWorkspace = 16 << 10

func (w *workspace) release() {
	if cap(w.whole) <= keepWorkspace {
		workspaces.Put(w)
	}
}

// pathReadings is how many canonical URIs there are under which a path may have been signed (spec management-api §1).
const pathReadings = 3

// appendPathReading appends one of them: the path encoded as it came, encoded once it was decoded, and as it came. SDKs
// differ in whether they escape "@" before they sign. Where decoding makes slashes the path would be another one, which the
// signature of that must not open. It appends nothing where a reading is no other than those before.
func appendPathReading(dst []byte, path string, n int) []byte {
	switch n {
	case 0:
		return appendCanonicalPath(dst, path)
	case 1:
		if !strings.Contains(path, "%") {
			return dst
		}
		decoded, err := url.PathUnescape(path)
		if err != nil || strings.Count(decoded, "/") != strings.Count(path, "/") {
			return dst
		}
		return appendCanonicalPath(dst, decoded)
	}
	return append(dst, path...)
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

package awsapi_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
)

const region, service = "eu-west-1", "execute-api"

// request is a request to be signed.
func request(tb testing.TB, method, target, body string, headers ...apigw.Field) *http.Request {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), method, target, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range headers {
		r.Header.Add(f.Name, f.Value)
	}
	return r
}

func sdkCredentials(c awsapi.Credentials) aws.Credentials {
	return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
}

func payloadHash(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// signed signs a request in the header form, as the SDK for Go does, and returns it as a server sees it.
func signed(tb testing.TB, r *http.Request, body string, creds awsapi.Credentials) *awsapi.SignedRequest {
	tb.Helper()
	if err := v4.NewSigner().SignHTTP(tb.Context(), sdkCredentials(creds), r, payloadHash(body), service, region, signTime); err != nil {
		tb.Fatal(err)
	}
	return received(tb, r)
}

// presigned signs a request in the query form.
func presigned(tb testing.TB, r *http.Request, creds awsapi.Credentials) *awsapi.SignedRequest {
	tb.Helper()
	uri, _, err := v4.NewSigner().PresignHTTP(tb.Context(), sdkCredentials(creds), r, payloadHash(""), service, region, signTime)
	if err != nil {
		tb.Fatal(err)
	}
	if r.URL, err = url.Parse(uri); err != nil {
		tb.Fatal(err)
	}
	return received(tb, r)
}

// received is a request after it went over the wire.
func received(tb testing.TB, r *http.Request) *awsapi.SignedRequest {
	tb.Helper()
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		tb.Fatal(err)
	}
	in, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		tb.Fatal(err)
	}
	body, err := io.ReadAll(in.Body)
	if err != nil {
		tb.Fatal(err)
	}
	out := &awsapi.SignedRequest{
		Method: in.Method, Path: in.URL.EscapedPath(), Query: in.URL.RawQuery,
		Headers: apigw.Fields{{Name: "Host", Value: in.Host}},
		Body:    func() ([]byte, error) { return body, nil },
	}
	for _, name := range slices.Sorted(maps.Keys(in.Header)) {
		for _, v := range in.Header[name] {
			out.Headers = append(out.Headers, apigw.Field{Name: name, Value: v})
		}
	}
	return out
}

// verify takes all three steps.
func verify(r *awsapi.SignedRequest, creds awsapi.Credentials, now time.Time) error {
	claim, err := awsapi.ReadSignature(r)
	if err != nil {
		return err
	}
	if err := claim.Check(region, service, now); err != nil {
		return err
	}
	if claim.AccessKeyID != creds.AccessKeyID || claim.SessionToken != creds.SessionToken {
		return errors.New("another access key or session token")
	}
	var v awsapi.SigV4
	return v.Verify(r, claim, creds.SecretAccessKey)
}

const (
	stageURL = "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/dev"
	postURL  = stageURL + "/@connections/Ab-C_d%3D"
)

// What the SDK for Go signs is let in: spec management-api §1 and §5, events-and-integrations §4.
func TestVerify(t *testing.T) {
	for name, r := range map[string]*awsapi.SignedRequest{
		"handshake":         signed(t, request(t, "GET", stageURL, ""), "", signCreds),
		"root":              signed(t, request(t, "GET", "http://localhost:3001", ""), "", signCreds),
		"port":              signed(t, request(t, "GET", "http://localhost:3001/dev", ""), "", signCreds),
		"query":             signed(t, request(t, "GET", stageURL+"?b=2&a=1&a=0&c&d=x%20y%2Fz+w", ""), "", signCreds),
		"temporary":         signed(t, request(t, "GET", stageURL, ""), "", tempCreds),
		"post":              signed(t, request(t, "POST", postURL, "hello"), "hello", tempCreds),
		"escaped at":        signed(t, request(t, "POST", stageURL+"/%40connections/Ab-C_d%3D", "hello"), "hello", signCreds),
		"delete":            signed(t, request(t, "DELETE", postURL, ""), "", signCreds),
		"content hash":      signed(t, request(t, "POST", postURL, "hello", apigw.Field{Name: "X-Amz-Content-Sha256", Value: payloadHash("hello")}), "hello", signCreds),
		"many values":       signed(t, request(t, "GET", stageURL, "", apigw.Field{Name: "X-A", Value: "one"}, apigw.Field{Name: "X-A", Value: " two   three "}), "", signCreds),
		"presigned":         presigned(t, request(t, "GET", stageURL, ""), signCreds),
		"presigned token":   presigned(t, request(t, "GET", stageURL+"?room=a%20b", ""), tempCreds),
		"presigned expires": presigned(t, request(t, "GET", stageURL+"?X-Amz-Expires=300", ""), signCreds),
	} {
		creds := signCreds
		if strings.Contains(name, "temporary") || strings.Contains(name, "token") || name == "post" {
			creds = tempCreds
		}
		if err := verify(r, creds, signTime.Add(time.Minute)); err != nil {
			t.Errorf("%s: got %v", name, err)
		}
		wrong := creds
		wrong.SecretAccessKey += "x"
		if err := verify(r, wrong, signTime); apigw.KindOf(err) != apigw.KindInvalidSignature {
			t.Errorf("%s with a wrong secret: got %v", name, err)
		}
	}
}

// A request passes in each of the three readings of its path (spec management-api §1): as botocore signs a raw "@", as
// others sign "%40", and when a proxy has decoded or encoded it on the way.
func TestCanonicalPaths(t *testing.T) {
	const canonical = "POST\n%s\n\nhost:h\nx-amz-date:20240312T205722Z\n\nhost;x-amz-date\n"
	for name, test := range map[string]struct {
		signedAs, sentAs string
		ok               bool
	}{
		"encoded twice, raw at":        {"/dev/%40connections/Ab%253D", "/dev/@connections/Ab%3D", true},
		"encoded twice, escaped at":    {"/dev/%2540connections/Ab%253D", "/dev/%40connections/Ab%3D", true},
		"decoded, then encoded once":   {"/dev/%40connections/Ab%3D", "/dev/@connections/Ab=", true},
		"signed as sent":               {"/dev/@connections/Ab%3D", "/dev/@connections/Ab%3D", true},
		"proxy escaped the at sign":    {"/dev/%40connections/Ab%3D", "/dev/%40connections/Ab%3D", true},
		"proxy unescaped equal sign":   {"/dev/%40connections/Ab%3D", "/dev/%40connections/Ab=", true},
		"another connection":           {"/dev/%40connections/Ab%253D", "/dev/@connections/Ac%3D", false},
		"another stage":                {"/dev/%40connections/Ab%253D", "/prod/@connections/Ab%3D", false},
		"encoded three times":          {"/dev/%25252540connections/x", "/dev/@connections/x", false},
		"a slash that is none":         {"/v2/apis/a/stages/b", "/v2/apis/a%2Fstages%2Fb", false},
		"a slash in a name":            {"/v2/tags/a%252Fb", "/v2/tags/a%2Fb", true},
		"a slash more":                 {"/dev/%40connections/x", "/dev/@connections/x/", false},
		"invalid escape, as it stands": {"/dev/%25zz", "/dev/%zz", true},
	} {
		r := &awsapi.SignedRequest{Method: "POST", Path: test.sentAs, Headers: apigw.Fields{{Name: "host", Value: "h"}, {Name: "X-Amz-Date", Value: "20240312T205722Z"}}}
		text := strings.Replace(canonical, "%s", test.signedAs, 1) + payloadHash("")
		r.Headers = append(r.Headers, apigw.Field{Name: "Authorization", Value: authorization("host;x-amz-date", sign(text))})
		if err := verify(r, signCreds, signTime); (err == nil) != test.ok {
			t.Errorf("%s: got %v, want accepted: %v", name, err, test.ok)
		}
	}
}

// sign signs a canonical request by the definition, independently of the package.
func sign(canonical string) string {
	key := []byte("AWS4" + signCreds.SecretAccessKey)
	for _, part := range []string{"20240312", region, service, "aws4_request", "AWS4-HMAC-SHA256\n20240312T205722Z\n20240312/" + region + "/" + service + "/aws4_request\n" + payloadHash(canonical)} {
		key = hmacOf(key, part)
	}
	return hex.EncodeToString(key)
}

func authorization(signedHeaders, signature string) string {
	return "AWS4-HMAC-SHA256 Credential=" + signCreds.AccessKeyID + "/20240312/" + region + "/" + service + "/aws4_request, SignedHeaders=" + signedHeaders + ", Signature=" + signature
}

// Whitespace in header values: what net/http and proxies do to it does not matter, what the sender meant does.
func TestCanonicalHeaders(t *testing.T) {
	for name, test := range map[string]struct{ canonical, sent string }{
		"folded":      {"a b c", "a\r\n  b \t c"},
		"ends":        {"a", " \ta\t "},
		"empty":       {"", ""},
		"inner comma": {"a, b", "a,   b"},
		"quotes":      {`"a b"`, `"a   b"`},
	} {
		text := "GET\n/\n\nhost:h\nx-a:" + test.canonical + "\n\nhost;x-a\n" + payloadHash("")
		r := &awsapi.SignedRequest{Method: "GET", Headers: apigw.Fields{
			{Name: "Host", Value: "h"},
			{Name: "X-A", Value: test.sent},
			{Name: "Date", Value: "Tue, 12 Mar 2024 20:57:22 GMT"}, // stands in for X-Amz-Date
			{Name: "Authorization", Value: authorization("host;x-a", sign(text))},
		}}
		if err := verify(r, signCreds, signTime); err != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A "+" in a query string may have been meant as a blank or as itself.
func TestCanonicalQueryPlus(t *testing.T) {
	for _, query := range []string{"a=b%20c", "a=b%2Bc"} {
		text := "GET\n/\n" + query + "\nhost:h\nx-amz-date:20240312T205722Z\n\nhost;x-amz-date\n" + payloadHash("")
		r := &awsapi.SignedRequest{Method: "GET", Query: "a=b+c", Headers: apigw.Fields{
			{Name: "Host", Value: "h"},
			{Name: "X-Amz-Date", Value: "20240312T205722Z"},
			{Name: "Authorization", Value: authorization("host;x-amz-date", sign(text))},
		}}
		if err := verify(r, signCreds, signTime); err != nil {
			t.Errorf("%s: got %v", query, err)
		}
	}
}

func set(r *awsapi.SignedRequest, name, value string) {
	r.Headers = slices.DeleteFunc(r.Headers, func(f apigw.Field) bool { return strings.EqualFold(f.Name, name) })
	r.Headers = append(r.Headers, apigw.Field{Name: name, Value: value})
}

func authOf(r *awsapi.SignedRequest) string {
	v, _ := r.Headers.LastFold("Authorization")
	return v
}

// Refusals of the header form, with AWS's kinds and words (spec management-api §4 and §5).
func TestVerifyHeaderRefusals(t *testing.T) {
	replaced := func(old, to string) func(*awsapi.SignedRequest) {
		return func(r *awsapi.SignedRequest) { set(r, "Authorization", strings.Replace(authOf(r), old, to, 1)) }
	}
	for name, test := range map[string]struct {
		change func(*awsapi.SignedRequest)
		kind   apigw.Kind
		want   string
	}{
		"none":        {func(r *awsapi.SignedRequest) { r.Headers = r.Headers[:1] }, apigw.KindMissingAuthenticationToken, ""},
		"bearer":      {func(r *awsapi.SignedRequest) { set(r, "Authorization", "Bearer abc") }, apigw.KindIncompleteSignature, "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): 'ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0='."},
		"scheme only": {func(r *awsapi.SignedRequest) { set(r, "Authorization", "AWS4-HMAC-SHA256") }, apigw.KindIncompleteSignature, "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. (Hashed"},
		"no date":     {func(r *awsapi.SignedRequest) { set(r, "X-Amz-Date", ""); r.Headers = r.Headers[:len(r.Headers)-1] }, apigw.KindIncompleteSignature, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."},
		"two dates": {func(r *awsapi.SignedRequest) {
			r.Headers = append(r.Headers, apigw.Field{Name: "x-amz-date", Value: "20240312T205723Z"})
		}, apigw.KindIncompleteSignature, "must have one value"},
		"two authorizations": {func(r *awsapi.SignedRequest) {
			r.Headers = append(r.Headers, apigw.Field{Name: "authorization", Value: authOf(r)})
		}, apigw.KindIncompleteSignature, "once only"},
		"both forms":           {func(r *awsapi.SignedRequest) { r.Query = "X-Amz-Signature=x" }, apigw.KindIncompleteSignature, "Only one auth mechanism allowed"},
		"algorithm":            {replaced("SHA256", "SHA1"), apigw.KindIncompleteSignature, "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA1'."},
		"parameter twice":      {replaced("SignedHeaders=", "Credential=x, SignedHeaders="), apigw.KindIncompleteSignature, "parameter 'Credential' twice"},
		"credential":           {replaced("/aws4_request", ""), apigw.KindIncompleteSignature, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKIDEXAMPLE/20240312/eu-west-1/execute-api'"},
		"date format":          {func(r *awsapi.SignedRequest) { set(r, "X-Amz-Date", "2024-03-12T20:57:22Z") }, apigw.KindIncompleteSignature, "Date must be in ISO-8601 'basic format'. Got '2024-03-12T20:57:22Z'. See http://en.wikipedia.org/wiki/ISO_8601"},
		"fraction of a second": {func(r *awsapi.SignedRequest) { set(r, "X-Amz-Date", "20240312T205722.5Z") }, apigw.KindIncompleteSignature, "Date must be in ISO-8601"},
		"header list":          {replaced("SignedHeaders=", "SignedHeaders=Host;"), apigw.KindIncompleteSignature, "'SignedHeaders' must be different header names in lower case"},
		"header listed twice":  {replaced("SignedHeaders=", "SignedHeaders=host;"), apigw.KindIncompleteSignature, "'SignedHeaders' must be different header names"},
		"very many headers":    {replaced("SignedHeaders=", "SignedHeaders="+strings.Repeat("a;", 200)), apigw.KindIncompleteSignature, "more than 100"},

		"region":              {replaced(region, "us-east-1"), apigw.KindInvalidSignature, "Credential should be scoped to a valid region, not 'us-east-1'. "},
		"service":             {replaced(service, "iam"), apigw.KindInvalidSignature, "Credential should be scoped to correct service: 'execute-api'. "},
		"terminator":          {replaced("aws4_request", "aws4"), apigw.KindInvalidSignature, "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws4'. "},
		"day":                 {replaced("20240312", "20240311"), apigw.KindInvalidSignature, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20240311' != '20240312', from '20240312T205722Z'. "},
		"host unsigned":       {replaced("host;", ""), apigw.KindInvalidSignature, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
		"token after signing": {func(r *awsapi.SignedRequest) { set(r, "X-Amz-Security-Token", "t") }, apigw.KindInvalidSignature, "'X-Amz-Security-Token' must be a 'SignedHeader'"},
		"unsigned payload":    {func(r *awsapi.SignedRequest) { set(r, "X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD") }, apigw.KindInvalidSignature, "does not match what was computed"},
		"signature":           {func(r *awsapi.SignedRequest) { set(r, "Authorization", authOf(r)+"0") }, apigw.KindInvalidSignature, "The request signature we calculated"},
		"method":              {func(r *awsapi.SignedRequest) { r.Method = "DELETE" }, apigw.KindInvalidSignature, "The request signature we calculated"},
		"query":               {func(r *awsapi.SignedRequest) { r.Query = "a=1" }, apigw.KindInvalidSignature, "The request signature we calculated"},
		"host":                {func(r *awsapi.SignedRequest) { set(r, "Host", "evil.example") }, apigw.KindInvalidSignature, "The request signature we calculated"},
		"body":                {func(r *awsapi.SignedRequest) { r.Body = func() ([]byte, error) { return []byte("hellO"), nil } }, apigw.KindInvalidSignature, "The request signature we calculated"},
		"header":              {func(r *awsapi.SignedRequest) { set(r, "X-A", "2") }, apigw.KindInvalidSignature, "The request signature we calculated"},
		"header gone": {func(r *awsapi.SignedRequest) {
			r.Headers = slices.DeleteFunc(r.Headers, func(f apigw.Field) bool { return f.Name == "X-A" })
		}, apigw.KindInvalidSignature, "The request signature we calculated"},
	} {
		t.Run(name, func(t *testing.T) {
			r := signed(t, request(t, "POST", postURL, "hello", apigw.Field{Name: "X-A", Value: "1"}), "hello", signCreds)
			test.change(r)
			refused(t, verify(r, signCreds, signTime), test.kind, test.want)
		})
	}
}

func refused(t *testing.T, err error, kind apigw.Kind, want string) {
	t.Helper()
	e, ok := errors.AsType[*apigw.Error](err)
	if !ok || e.Kind != kind || !strings.Contains(e.Message, want) {
		t.Errorf("got %v, want kind %d, %q", err, kind, want)
	}
	if apigw.KindOf(err) != kind {
		t.Errorf("got kind %d, want %d", apigw.KindOf(err), kind)
	}
}

// Refusals of the query form. A token that was appended after signing, as IoT's clients do, is refused (spec
// events-and-integrations §4).
func TestVerifyQueryRefusals(t *testing.T) {
	without := func(name string) func(*awsapi.SignedRequest) {
		return func(r *awsapi.SignedRequest) {
			r.Query = strings.Join(slices.DeleteFunc(strings.Split(r.Query, "&"), func(p string) bool { return strings.HasPrefix(p, name+"=") }), "&")
		}
	}
	added := func(s string) func(*awsapi.SignedRequest) {
		return func(r *awsapi.SignedRequest) { r.Query += "&" + s }
	}
	for name, test := range map[string]struct {
		change func(*awsapi.SignedRequest)
		kind   apigw.Kind
		want   string
	}{
		"no algorithm":         {without("X-Amz-Algorithm"), apigw.KindIncompleteSignature, "AWS query-string parameters must include 'X-Amz-Algorithm'. Re-examine the query-string parameters."},
		"no headers, no date":  {func(r *awsapi.SignedRequest) { without("X-Amz-SignedHeaders")(r); without("X-Amz-Date")(r) }, apigw.KindIncompleteSignature, "AWS query-string parameters must include 'X-Amz-SignedHeaders'. AWS query-string parameters must include 'X-Amz-Date'. Re-examine"},
		"no signature":         {without("X-Amz-Signature"), apigw.KindIncompleteSignature, "must include 'X-Amz-Signature'"},
		"signature alone":      {func(r *awsapi.SignedRequest) { r.Query = "X-Amz-Signature=00" }, apigw.KindIncompleteSignature, "must include 'X-Amz-Algorithm'"},
		"twice":                {added("X-Amz-Date=20240312T205722Z"), apigw.KindIncompleteSignature, "'X-Amz-Date' must be present once only"},
		"garbled":              {func(r *awsapi.SignedRequest) { without("X-Amz-Date")(r); r.Query += "&X-Amz-Date=%zz" }, apigw.KindIncompleteSignature, "cannot be decoded"},
		"expires, no number":   {added("X-Amz-Expires=soon"), apigw.KindIncompleteSignature, "X-Amz-Expires should be a number"},
		"expires, negative":    {added("X-Amz-Expires=-1"), apigw.KindIncompleteSignature, "X-Amz-Expires must be non-negative"},
		"expires, over a week": {added("X-Amz-Expires=604801"), apigw.KindIncompleteSignature, "X-Amz-Expires must be less than a week"},
		"expires, huge":        {added("X-Amz-Expires=99999999999999999999"), apigw.KindIncompleteSignature, "X-Amz-Expires should be a number"},
		"expires, added":       {added("X-Amz-Expires=600"), apigw.KindInvalidSignature, "The request signature we calculated"},
		"parameter added":      {added("admin=1"), apigw.KindInvalidSignature, "The request signature we calculated"},
		"signature, respelt":   {added("X-Amz-Signatur%65=0"), apigw.KindInvalidSignature, "The request signature we calculated"},
		"parameter changed":    {func(r *awsapi.SignedRequest) { r.Query = strings.Replace(r.Query, "room=1", "room=2", 1) }, apigw.KindInvalidSignature, "The request signature we calculated"},
	} {
		t.Run(name, func(t *testing.T) {
			r := presigned(t, request(t, "GET", stageURL+"?room=1", ""), signCreds)
			test.change(r)
			refused(t, verify(r, signCreds, signTime), test.kind, test.want)
		})
	}
	t.Run("token appended", func(t *testing.T) {
		bare := tempCreds
		bare.SessionToken = ""
		r := presigned(t, request(t, "GET", stageURL, ""), bare)
		r.Query += "&X-Amz-Security-Token=" + url.QueryEscape(tempCreds.SessionToken)
		refused(t, verify(r, tempCreds, signTime), apigw.KindInvalidSignature, "The request signature we calculated")
	})
}

// Spec management-api §5, open-questions 55: five minutes either way, or as long as a presigned request says.
func TestClock(t *testing.T) {
	header := signed(t, request(t, "GET", stageURL, ""), "", signCreds)
	query := presigned(t, request(t, "GET", stageURL, ""), signCreds)
	expires := presigned(t, request(t, "GET", stageURL+"?X-Amz-Expires=3600", ""), signCreds)
	for name, test := range map[string]struct {
		r     *awsapi.SignedRequest
		after time.Duration
		want  string // empty: accepted
	}{
		"five minutes late":   {header, 5 * time.Minute, ""},
		"later":               {header, 5*time.Minute + time.Second, "Signature expired: 20240312T205722Z is now earlier than 20240312T205723Z (20240312T210223Z - 5 min.)"},
		"five minutes early":  {header, -5 * time.Minute, ""},
		"earlier":             {header, -5*time.Minute - time.Second, "Signature not yet current: 20240312T205722Z is still later than 20240312T205721Z (20240312T205221Z + 5 min.)"},
		"presigned":           {query, 5 * time.Minute, ""},
		"presigned, late":     {query, 5*time.Minute + time.Second, "Signature expired: 20240312T205722Z is now earlier than 20240312T205723Z (20240312T210223Z - 5 min.)"},
		"presigned, expires":  {expires, time.Hour, ""},
		"presigned, expired":  {expires, time.Hour + time.Second, "Signature expired: 20240312T205722Z is now earlier than 20240312T205723Z (20240312T215723Z - 3600 sec.)"},
		"presigned, tomorrow": {expires, -6 * time.Minute, "Signature not yet current: "},
	} {
		err := verify(test.r, signCreds, signTime.Add(test.after))
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: got %v", name, err)
			}
			continue
		}
		refused(t, err, apigw.KindInvalidSignature, test.want)
	}
}

// The sender of a bad signature sees what should have been signed (spec management-api §4); the log does not.
func TestMismatchShowsCanonicalRequest(t *testing.T) {
	r := signed(t, request(t, "GET", stageURL+"?a=1", ""), "", tempCreds)
	r.Query = "a=2"
	err := verify(r, tempCreds, signTime)
	want := "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details." +
		"\n\nThe Canonical String for this request should have been\n'GET\n/dev\na=2\nhost:a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com\nx-amz-date:20240312T205722Z\nx-amz-security-token:a+token/with==signs\n\nhost;x-amz-date;x-amz-security-token\n" + payloadHash("") + "'" +
		"\n\nThe String-to-Sign should have been\n'AWS4-HMAC-SHA256\n20240312T205722Z\n20240312/eu-west-1/execute-api/aws4_request\n"
	if got := awsapi.Message(err); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "'\n") {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if text := err.Error(); strings.Contains(text, tempCreds.SessionToken) || !strings.Contains(text, tempCreds.AccessKeyID) {
		t.Errorf("the log gets %s", text)
	}
}

// A body is asked for once everything else is in order, and its failure is the answer.
func TestVerifyBodyFails(t *testing.T) {
	r := signed(t, request(t, "POST", postURL, "x"), "x", signCreds)
	want := errors.New("too long")
	r.Body = func() ([]byte, error) { return nil, want }
	if err := verify(r, signCreds, signTime); !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
}

// The number of signing keys that are remembered is bounded, and one SigV4 serves many keys.
func TestManySigningKeys(t *testing.T) {
	var v awsapi.SigV4
	for i := range 1500 {
		creds := signCreds
		creds.SecretAccessKey += string(rune('a' + i%20))
		r := &awsapi.SignedRequest{Method: "GET", Headers: apigw.Fields{{Name: "Host", Value: "h"}}}
		day := signTime.AddDate(0, 0, i/20)
		r.Headers = append(r.Headers, v.Sign("GET", &url.URL{Host: "h"}, nil, nil, service, region, creds, day)...)
		claim, err := awsapi.ReadSignature(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Verify(r, claim, creds.SecretAccessKey); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzReadSignature(f *testing.F) {
	good := signed(f, request(f, "POST", postURL, "hello"), "hello", tempCreds)
	f.Add("POST", good.Path, "", authOf(good), "20240312T205722Z", tempCreds.SessionToken)
	query := presigned(f, request(f, "GET", stageURL+"?a=b+c", ""), tempCreds)
	f.Add("GET", query.Path, query.Query, "", "", "")
	f.Add("GET", "/%zz", "X-Amz-Expires=1&X-Amz-Signature=%", "Bearer x", "Tue, 12 Mar 2024 20:57:22 GMT", "\xff")
	f.Fuzz(func(t *testing.T, method, path, query, auth, date, token string) {
		r := &awsapi.SignedRequest{Method: method, Path: path, Query: query, Headers: apigw.Fields{{Name: "Host", Value: "h"}}}
		for name, v := range map[string]string{"Authorization": auth, "X-Amz-Date": date, "X-Amz-Security-Token": token} {
			if v != "" {
				r.Headers = append(r.Headers, apigw.Field{Name: name, Value: v})
			}
		}
		claim, err := awsapi.ReadSignature(r)
		if err == nil {
			_ = claim.Check(region, service, signTime)
			var v awsapi.SigV4
			err = v.Verify(r, claim, "no secret makes this signature")
		}
		switch apigw.KindOf(err) {
		case apigw.KindMissingAuthenticationToken, apigw.KindIncompleteSignature, apigw.KindInvalidSignature:
		default:
			t.Errorf("got %v", err)
		}
		if len(awsapi.Message(err)) > 40<<10 {
			t.Errorf("a message of %d bytes", len(awsapi.Message(err)))
		}
	})
}

// verifications are signed requests, and how many allocations it takes to verify one.
func verifications(tb testing.TB) map[string]verification {
	tb.Helper()
	body := strings.Repeat("x", 256)
	return map[string]verification{
		"header": {signed(tb, request(tb, "POST", postURL, body), body, signCreds), 0},
		"query":  {presigned(tb, request(tb, "GET", stageURL+"?room=1", ""), signCreds), 5},
	}
}

type verification struct {
	request *awsapi.SignedRequest
	allocs  float64
}

func (v *verification) run(with *awsapi.SigV4) error {
	claim, err := awsapi.ReadSignature(v.request)
	if err == nil {
		err = claim.Check(region, service, signTime)
	}
	if err == nil {
		err = with.Verify(v.request, claim, signCreds.SecretAccessKey)
	}
	return err
}

// Verifications share memory and keys; none may see another's.
func TestVerifyTogether(t *testing.T) {
	var with awsapi.SigV4
	var all sync.WaitGroup
	for name, v := range verifications(t) {
		for range 4 {
			all.Go(func() {
				for range 50 {
					if err := v.run(&with); err != nil {
						t.Errorf("%s: %v", name, err)
					}
					claim, err := awsapi.ReadSignature(v.request)
					if err != nil {
						t.Error(err)
						return
					}
					if err := with.Verify(v.request, claim, "another secret"); apigw.KindOf(err) != apigw.KindInvalidSignature {
						t.Errorf("%s, with another secret: got %v", name, err)
					}
				}
			})
		}
	}
	all.Wait()
}

func BenchmarkVerify(b *testing.B) {
	for name, v := range verifications(b) {
		b.Run(name, func(b *testing.B) {
			var with awsapi.SigV4
			b.ReportAllocs()
			for b.Loop() {
				if err := v.run(&with); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "verifications/s")
		})
	}
}

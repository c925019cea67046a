package awsapi

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"cleat/internal/apigw"
)

// unsigned are the headers that a signature leaves out: others change them on the way, or they are about the hop.
var unsigned = []string{
	"authorization", "connection", "expect", "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer",
	"transfer-encoding", "upgrade", "user-agent", "x-amzn-trace-id",
}

// Sign returns the header fields that make a request one of creds' owner: X-Amz-Date, X-Amz-Security-Token for temporary
// credentials, X-Amz-Content-Sha256 for S3, which wants it, and Authorization. headers are those that will be sent; all but
// those about the hop are signed, so they must not change any more. A Host among them comes before the URL's. The path
// is taken as u escapes it.
func (s *SigV4) Sign(method string, u *url.URL, headers apigw.Fields, body []byte, service, region string, creds Credentials, now time.Time) apigw.Fields {
	date := now.UTC().Format(amzDateLayout)
	scope := signingScope{creds.SecretAccessKey, date[:len("20060102")], region, service}
	hash := hexHash(body)

	added := make(apigw.Fields, 0, 4)
	add := func(name, value string) { added = append(added, apigw.Field{Name: name, Value: value}) }
	add("X-Amz-Date", date)
	if creds.SessionToken != "" {
		add("X-Amz-Security-Token", creds.SessionToken)
	}
	if service == "s3" {
		add("X-Amz-Content-Sha256", hash)
	}

	all := make(apigw.Fields, 0, len(headers)+len(added)+1)
	if _, ok := headers.LastFold("Host"); !ok {
		all = append(all, apigw.Field{Name: "Host", Value: u.Host})
	}
	all = append(append(all, headers...), added...)
	names := signedNames(all)

	b := make([]byte, 0, 1024)
	b = append(append(b, method...), '\n')
	if path := u.EscapedPath(); service == "s3" && path != "" {
		b = append(b, path...) // S3 alone encodes once
	} else {
		b = appendCanonicalPath(b, path)
	}
	b = append(b, '\n')
	b = append(appendCanonicalQuery(b, u.RawQuery, "", ' '), '\n')
	for _, name := range names {
		b = appendCanonicalHeader(b, name, all)
	}
	list := strings.Join(names, ";")
	b = append(b, '\n')
	b = append(append(b, list...), '\n')
	b = append(b, hash...)

	auth := make([]byte, 0, 256)
	auth = append(auth, sigv4Algorithm+" Credential="...)
	auth = append(append(auth, creds.AccessKeyID...), '/')
	auth = scope.append(auth)
	auth = append(append(auth, ", SignedHeaders="...), list...)
	auth = append(append(auth, ", Signature="...), s.signingKey(scope).appendMAC(nil, appendStringToSign(nil, b, date, scope))...)
	add("Authorization", string(auth))
	return added
}

// signedNames are the names of the headers to be signed, in lower case, sorted, each once.
func signedNames(headers apigw.Fields) []string {
	names := make([]string, 0, len(headers))
	for _, f := range headers {
		if name := strings.ToLower(f.Name); !slices.Contains(unsigned, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

package runner

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"cleat/test/compat/scenario"
)

// service is what signatures for API Gateway's data plane are for.
const service = "execute-api"

// Sign returns the headers with which a request to API Gateway is signed, as an AWS SDK signs it.
func Sign(ctx context.Context, who aws.Credentials, region, method string, u *url.URL, body []byte) ([]scenario.Field, error) {
	return signFor(ctx, who, service, region, time.Now(), method, u, body)
}

func signFor(ctx context.Context, who aws.Credentials, service, region string, at time.Time, method string, u *url.URL, body []byte) ([]scenario.Field, error) {
	req, err := newSigned(ctx, method, u, body)
	if err != nil {
		return nil, err
	}
	if err := v4.NewSigner().SignHTTP(ctx, who, req, hashOf(body), service, region, at); err != nil {
		return nil, err
	}
	var out []scenario.Field
	for _, name := range []string{"X-Amz-Date", "X-Amz-Security-Token", "Authorization"} {
		if v := req.Header.Get(name); v != "" {
			out = append(out, scenario.Field{Name: name, Value: v})
		}
	}
	return out, nil
}

func newSigned(ctx context.Context, method string, u *url.URL, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, "https://"+u.Host, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	signed := *u
	if signed.Scheme != "http" { // the scheme decides what the default port is, which is not part of the Host
		signed.Scheme = "https"
	}
	req.URL = &signed
	return req, nil
}

func hashOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// signStep signs a request as its step says: it returns further headers, or the target with the signature in its query.
func (r *run) signStep(text, method, target, host string, body []byte) (string, []scenario.Field, error) {
	text, err := r.vars.Expand(text)
	if err != nil {
		return "", nil, err
	}
	s, err := scenario.ParseSignature(text)
	if err != nil {
		return "", nil, err
	}
	if s.Region == "" {
		if s.Region, err = r.vars.Expand("<region>"); err != nil {
			return "", nil, err
		}
	}
	if s.Service == "" {
		s.Service = service
	}
	signed := target
	if s.Path != "" {
		signed = s.Path
	}
	u, err := url.ParseRequestURI(signed)
	if err != nil {
		return "", nil, err
	}
	u.Scheme, u.Host = "http", host
	who := aws.Credentials{AccessKeyID: s.AccessKeyID, SecretAccessKey: s.Secret, SessionToken: s.Token}
	at := time.Now().Add(-s.Ago)
	if !s.Query {
		fields, err := signFor(r.ctx, who, s.Service, s.Region, at, method, u, body)
		return target, fields, err
	}
	req, err := newSigned(r.ctx, method, u, body)
	if err != nil {
		return "", nil, err
	}
	presigned, _, err := v4.NewSigner().PresignHTTP(r.ctx, who, req, hashOf(body), s.Service, s.Region, at)
	if err != nil {
		return "", nil, err
	}
	p, err := url.Parse(presigned)
	if err != nil {
		return "", nil, err
	}
	if t, err := url.ParseRequestURI(target); err == nil && s.Path != "" {
		return t.EscapedPath() + "?" + p.RawQuery, nil, nil
	}
	return p.RequestURI(), nil, nil
}

package backend_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"cleat/internal/awsapi"
	"cleat/internal/testkit"
)

// verifySignature holds the signature of a request that a server received against two judges: the AWS SDK, which signs
// the same headers once more, and Cleat's own verification.
func verifySignature(r *http.Request, body []byte, who aws.Credentials, service, region string) error {
	got := r.Header.Get("Authorization")
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		return fmt.Errorf("X-Amz-Date: %w", err)
	}
	again, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+r.Host+r.RequestURI, http.NoBody)
	if err != nil {
		return err
	}
	_, signed, _ := strings.Cut(got, "SignedHeaders=")
	signed, _, _ = strings.Cut(signed, ",")
	for name := range strings.SplitSeq(signed, ";") {
		if name != "host" {
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	sum := sha256.Sum256(body)
	sdk := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
	if err := sdk.SignHTTP(r.Context(), who, again, hex.EncodeToString(sum[:]), service, region, at); err != nil {
		return err
	}
	if want := again.Header.Get("Authorization"); got != want {
		return fmt.Errorf("got %s, want %s", got, want)
	}
	return verifyOwn(r, body, who, service, region)
}

func verifyOwn(r *http.Request, body []byte, who aws.Credentials, service, region string) error {
	req := testkit.SignedRequest(r, body)
	s, err := awsapi.ReadSignature(req)
	if err != nil {
		return err
	}
	if err := s.Check(region, service, time.Now()); err != nil {
		return err
	}
	if s.AccessKeyID != who.AccessKeyID || s.SessionToken != who.SessionToken {
		return errors.New("signed by " + s.AccessKeyID)
	}
	var verifier awsapi.SigV4
	return verifier.Verify(req, s, who.SecretAccessKey)
}

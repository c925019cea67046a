package awsapi_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
)

var (
	signTime  = time.Date(2024, 3, 12, 20, 57, 22, 0, time.UTC)
	signCreds = awsapi.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
	tempCreds = awsapi.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "secret", SessionToken: "a+token/with==signs"}
)

// Sign makes the very signature that the AWS SDK for Go makes.
func TestSignAsTheSDKDoes(t *testing.T) {
	for name, test := range map[string]struct {
		method, url, body, service, region string
		headers                            apigw.Fields
		creds                              awsapi.Credentials
	}{
		"post":            {"POST", "https://dynamodb.eu-west-1.amazonaws.com/", `{"a":1}`, "dynamodb", "eu-west-1", apigw.Fields{{Name: "Content-Type", Value: "application/x-amz-json-1.0"}, {Name: "X-Amz-Target", Value: "DynamoDB_20120810.PutItem"}}, signCreds},
		"no path":         {"GET", "https://sqs.us-east-1.amazonaws.com", "", "sqs", "us-east-1", nil, tempCreds},
		"query":           {"GET", "https://x.example/a?b=2&a=1&a=0&c&d=a+b%20c%2F", "", "sns", "us-east-1", nil, signCreds},
		"escaped path":    {"POST", "https://x.example:8443/dev/@connections/Ab-C_d%3D", "hi", "execute-api", "eu-west-1", nil, tempCreds},
		"s3":              {"PUT", "https://bucket.s3.amazonaws.com/a%20b/c", "data", "s3", "us-east-1", nil, signCreds},
		"many values":     {"GET", "http://127.0.0.1:8000/", "", "x", "us-east-1", apigw.Fields{{Name: "X-Many", Value: "one"}, {Name: "x-many", Value: "  two   three "}}, signCreds},
		"unsigned header": {"GET", "http://127.0.0.1:8000/", "", "x", "us-east-1", apigw.Fields{{Name: "User-Agent", Value: "cleat"}, {Name: "X-Amzn-Trace-Id", Value: "Root=1"}}, signCreds},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := url.Parse(test.url)
			if err != nil {
				t.Fatal(err)
			}
			var signer awsapi.SigV4
			got := signer.Sign(test.method, u, test.headers, []byte(test.body), test.service, test.region, test.creds, signTime)

			req, err := http.NewRequestWithContext(t.Context(), test.method, test.url, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range test.headers {
				req.Header.Add(f.Name, f.Value)
			}
			sum := sha256.Sum256([]byte(test.body))
			if test.service == "s3" {
				req.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
			}
			sdk := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = test.service == "s3" })
			err = sdk.SignHTTP(t.Context(), aws.Credentials{AccessKeyID: test.creds.AccessKeyID, SecretAccessKey: test.creds.SecretAccessKey, SessionToken: test.creds.SessionToken}, req, hex.EncodeToString(sum[:]), test.service, test.region, signTime)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range got {
				if want := req.Header.Get(f.Name); f.Value != want {
					t.Errorf("%s:\ngot  %s\nwant %s", f.Name, f.Value, want)
				}
			}
		})
	}
}

func TestSignedHost(t *testing.T) {
	u := &url.URL{Scheme: "https", Host: "127.0.0.1:4566", Path: "/"}
	var signer awsapi.SigV4
	own := signer.Sign("GET", u, apigw.Fields{{Name: "Host", Value: "sqs.us-east-1.amazonaws.com"}}, nil, "sqs", "us-east-1", signCreds, signTime)
	u.Host = "sqs.us-east-1.amazonaws.com"
	want := signer.Sign("GET", u, nil, nil, "sqs", "us-east-1", signCreds, signTime)
	if fmt.Sprint(own) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", own, want)
	}
}

// Secrets stay out of every kind of text.
func TestCredentialsHideSecrets(t *testing.T) {
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "creds", tempCreds)
	texts := []string{fmt.Sprint(tempCreds), fmt.Sprintf("%v %+v %#v %s", tempCreds, tempCreds, tempCreds, tempCreds), log.String()}
	for _, text := range texts {
		if strings.Contains(text, tempCreds.SecretAccessKey) || strings.Contains(text, tempCreds.SessionToken) || !strings.Contains(text, tempCreds.AccessKeyID) {
			t.Errorf("got %s", text)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	u, err := url.Parse("https://dynamodb.eu-west-1.amazonaws.com/")
	if err != nil {
		b.Fatal(err)
	}
	headers := apigw.Fields{{Name: "Content-Type", Value: "application/x-amz-json-1.0"}, {Name: "X-Amz-Target", Value: "DynamoDB_20120810.PutItem"}}
	body := bytes.Repeat([]byte("x"), 256)
	b.Run("cleat", func(b *testing.B) {
		var signer awsapi.SigV4
		b.ReportAllocs()
		for b.Loop() {
			signer.Sign("POST", u, headers, body, "dynamodb", "eu-west-1", signCreds, signTime)
		}
	})
	b.Run("sdk", func(b *testing.B) {
		signer := v4.NewSigner()
		b.ReportAllocs()
		for b.Loop() {
			req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, u.String(), bytes.NewReader(body))
			if err != nil {
				b.Fatal(err)
			}
			for _, f := range headers {
				req.Header.Set(f.Name, f.Value)
			}
			sum := sha256.Sum256(body)
			if err := signer.SignHTTP(b.Context(), aws.Credentials{AccessKeyID: signCreds.AccessKeyID, SecretAccessKey: signCreds.SecretAccessKey}, req, hex.EncodeToString(sum[:]), "dynamodb", "eu-west-1", signTime); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func hmacOf(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

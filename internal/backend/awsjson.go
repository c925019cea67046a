package backend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
)

// AWSJSON calls an AWS service that speaks AWS's JSON protocol, such as a local DynamoDB. The zero value is of no use:
// Endpoint, Service and Target are required. It is safe for concurrent use and keeps nothing open.
type AWSJSON struct {
	Endpoint    string // base URL
	Service     string // as in the credential scope, "dynamodb"
	Target      string // prefix of X-Amz-Target, "DynamoDB_20120810"
	Region      string
	Credentials awsapi.Credentials // zero: dummy ones, which local stand-ins accept
}

// AWSError is an error that an AWS service answered.
type AWSError struct {
	Status  int
	Type    string // "ResourceInUseException"
	Message string
}

func (e *AWSError) Error() string { return fmt.Sprintf("%d %s: %s", e.Status, e.Type, e.Message) }

// IsAWSError reports whether err is an AWSError of a type.
func IsAWSError(err error, errType string) bool {
	e, ok := errors.AsType[*AWSError](err)
	return ok && e.Type == errType
}

// Call makes one call, {Target}.{action} with a JSON body, and drops the answer. It fails with an *AWSError when the
// service refuses; ctx bounds it.
func (a AWSJSON) Call(ctx context.Context, action string, body []byte) error {
	u, err := url.Parse(a.Endpoint)
	if err != nil || u.Host == "" {
		return fmt.Errorf("endpoint of %s %q: want an http or https URL, such as http://127.0.0.1:8000", a.Service, a.Endpoint)
	}
	if a.Credentials.AccessKeyID == "" {
		a.Credentials = ours(aws.Credentials(dummyCredentials))
	}
	r := &Request{Method: http.MethodPost, URL: u, Body: body, Header: apigw.Fields{
		{Name: "Content-Type", Value: "application/x-amz-json-1.0"},
		{Name: "X-Amz-Target", Value: a.Target + "." + action},
	}}
	sign(&awsapi.SigV4{}, r, a.Service, a.Region, a.Credentials)
	client := NewHTTP(HTTPOptions{})
	defer client.Close()
	res, err := client.Do(ctx, r)
	if err != nil {
		return fmt.Errorf("call %s at %s: %w", a.Service, a.Endpoint, err)
	}
	if res.Status < http.StatusMultipleChoices {
		return nil
	}
	var said struct {
		Type    string `json:"__type"`
		Message string `json:"message"` // also Message: field names match without regard to case
	}
	if json.Unmarshal(res.Body, &said) != nil || said.Type == "" {
		said.Type, said.Message = "UnknownError", excerpt(string(res.Body))
	}
	return &AWSError{res.Status, said.Type[strings.LastIndexByte(said.Type, '#')+1:], said.Message}
}

func excerpt(s string) string { return s[:min(len(s), errorExcerpt)] }

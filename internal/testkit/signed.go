package testkit

import (
	"net/http"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
)

// SignedRequest is a request that a server of net/http received, with its body, as its signature is verified.
func SignedRequest(r *http.Request, body []byte) *awsapi.SignedRequest {
	path, query, _ := strings.Cut(r.RequestURI, "?")
	req := &awsapi.SignedRequest{
		Method: r.Method, Path: path, Query: query, Headers: apigw.Fields{{Name: "Host", Value: r.Host}},
		Body: func() ([]byte, error) { return body, nil },
	}
	for name, values := range r.Header {
		for _, v := range values {
			req.Headers = append(req.Headers, apigw.Field{Name: name, Value: v})
		}
	}
	return req
}

package backend_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cleat/internal/backend"
)

func TestAWSJSON(t *testing.T) {
	answers := map[string]struct {
		status int
		body   string
	}{
		"Fine":   {200, `{}`},
		"Exists": {400, `{"__type":"com.amazonaws.dynamodb.v20120810#ResourceInUseException","message":"Table already exists"}`},
		"Odd":    {500, `<html>`},
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		action, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_20120810.")
		body, _ := io.ReadAll(r.Body)
		if !ok || string(body) != `{"TableName":"t"}` || r.Header.Get("Content-Type") != "application/x-amz-json-1.0" ||
			!strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/dynamodb/aws4_request") {
			t.Errorf("got %s %v %s", r.Method, r.Header, body)
		}
		w.WriteHeader(answers[action].status)
		_, _ = io.WriteString(w, answers[action].body)
	}))
	defer srv.Close()
	db := backend.AWSJSON{Endpoint: srv.URL, Service: "dynamodb", Target: "DynamoDB_20120810", Region: "eu-west-1"}
	body := []byte(`{"TableName":"t"}`)
	if err := db.Call(t.Context(), "Fine", body); err != nil {
		t.Error(err)
	}
	if err := db.Call(t.Context(), "Exists", body); !backend.IsAWSError(err, "ResourceInUseException") {
		t.Errorf("got %v", err)
	}
	var odd *backend.AWSError
	if err := db.Call(t.Context(), "Odd", body); !errors.As(err, &odd) || odd.Status != 500 || odd.Message != "<html>" {
		t.Errorf("got %v", err)
	}
	db.Endpoint = "nonsense"
	if err := db.Call(t.Context(), "Fine", body); err == nil || !strings.Contains(err.Error(), "http://127.0.0.1:8000") {
		t.Errorf("got %v", err)
	}
}

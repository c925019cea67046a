package server_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
)

const signedYML = `managementAuth: AWS_IAM
users:
  ann:
    accessKeys: { id: AKIAANN, secret: s1 }
    policies: { Version: '2012-10-17', Statement: { Effect: Allow, Action: 'execute-api:*', Resource: '*' } }
  bob:
    accessKeys: { id: AKIABOB, secret: s2 }
    policies: { Version: '2012-10-17', Statement: { Effect: Allow, Action: 'execute-api:Invoke', Resource: '*' } }
`

// manage calls the management API, signed where there are credentials, and returns the status and the error type.
func (r *run) manage(t *testing.T, creds awsapi.Credentials, method, path, body string) (status int, errType string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.info.Addr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	if creds.AccessKeyID != "" {
		var signer awsapi.SigV4
		for _, f := range signer.Sign(method, req.URL, nil, []byte(body), "execute-api", "us-east-1", creds, time.Now()) {
			req.Header.Set(f.Name, f.Value)
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode, res.Header.Get("x-amzn-ErrorType")
}

// Users and their keys are enforced where the project says so, functions can call back all the same, and a reload changes it.
func TestUsers(t *testing.T) {
	const code = `exports.ask = async () => ({ statusCode: 200, body: JSON.stringify({
	  AccessKeyID: process.env.AWS_ACCESS_KEY_ID, SecretAccessKey: process.env.AWS_SECRET_ACCESS_KEY, SessionToken: process.env.AWS_SESSION_TOKEN }) });
exports.bye = async () => ({});`
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIADEVELOPER")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "the developer's own")
	t.Setenv("AWS_SESSION_TOKEN", "")
	r := start(t, map[string]string{"serverless.yml": serverlessYML, "cleat.yaml": signedYML, "h.js": code})
	ws := r.dial(t)
	functions := func() awsapi.Credentials {
		t.Helper()
		var c awsapi.Credentials
		if err := json.Unmarshal([]byte(ask(t, ws, `{"action":"ask"}`)), &c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	given := functions()
	if !strings.HasPrefix(given.AccessKeyID, "ASIA") || given.SessionToken == "" {
		t.Errorf("functions sign with %v", given)
	}
	id := ""
	connected := func(e *apigw.Record) bool {
		id = string(e.ConnectionID)
		return e.Operation == "connect"
	}
	for deadline := time.Now().Add(time.Minute); !r.has(connected); {
		if time.Now().After(deadline) {
			t.Fatal("no connect is on record")
		}
		time.Sleep(5 * time.Millisecond)
	}
	one := "/dev/@connections/" + url.PathEscape(id)
	for name, test := range map[string]struct {
		creds   awsapi.Credentials
		status  int
		errType string
	}{
		"a user":           {awsapi.Credentials{AccessKeyID: "AKIAANN", SecretAccessKey: "s1"}, 200, ""},
		"functions":        {given, 200, ""},
		"nobody":           {awsapi.Credentials{}, 403, "MissingAuthenticationTokenException"},
		"wrong secret":     {awsapi.Credentials{AccessKeyID: "AKIAANN", SecretAccessKey: "s2"}, 403, "InvalidSignatureException"},
		"the developer":    {awsapi.Credentials{AccessKeyID: "AKIADEVELOPER", SecretAccessKey: "the developer's own"}, 403, "UnrecognizedClientException"},
		"may connect only": {awsapi.Credentials{AccessKeyID: "AKIABOB", SecretAccessKey: "s2"}, 403, "AccessDeniedException"},
	} {
		if status, errType := r.manage(t, test.creds, http.MethodGet, one, ""); status != test.status || errType != test.errType {
			t.Errorf("%s: got %d %s, want %d %s", name, status, errType, test.status, test.errType)
		}
		// The events tell of every connection: they are for those who may list them.
		if status, errType := r.manage(t, test.creds, http.MethodGet, "/_cleat/events", ""); status != test.status || errType != test.errType {
			t.Errorf("events, %s: got %d %s, want %d %s", name, status, errType, test.status, test.errType)
		}
	}

	// A key of the environment that one of the users has stays with the functions.
	r.write(t, "cleat.yaml", strings.Replace(signedYML, "AKIAANN", "AKIADEVELOPER", 1))
	<-r.reloaded
	if got := functions(); got.AccessKeyID != "AKIADEVELOPER" {
		t.Errorf("functions sign with %v", got)
	}
	if status, errType := r.manage(t, given, http.MethodGet, one, ""); status != 403 || errType != "UnrecognizedClientException" {
		t.Errorf("credentials that functions had: got %d %s", status, errType)
	}

	// Without it all is open as before.
	r.write(t, "cleat.yaml", strings.Replace(signedYML, "AWS_IAM", "NONE", 1))
	<-r.reloaded
	if got := functions(); got.AccessKeyID != "AKIADEVELOPER" {
		t.Errorf("functions sign with %v", got)
	}
	if status, _ := r.manage(t, awsapi.Credentials{}, http.MethodPost, one, "hi"); status != 200 {
		t.Errorf("unsigned: got %d", status)
	}
	if r.has(func(e *apigw.Record) bool { return e.Err != nil && strings.Contains(e.Err.Error(), given.SessionToken) }) {
		t.Error("a session token got into the log")
	}
	_ = ws.WriteMessage(websocket.CloseMessage, nil)
}

//go:build e2e

package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// signedSettings has users, and asks for signatures on $connect and on the management API.
const signedSettings = `region: eu-west-1
managementAuth: AWS_IAM
users:
  ann:
    accessKeys:
      - { id: AKIAANN, secret: ann/s+secret }
      - { id: ASIAANN, secret: another, sessionToken: to/ken+with==signs }
    policies:
      Version: '2012-10-17'
      Statement:
        - { Effect: Allow, Action: execute-api:Invoke, Resource: 'arn:aws:execute-api:eu-west-1:*:*/dev/$connect' }
        - { Effect: Allow, Action: execute-api:ManageConnections, Resource: 'arn:aws:execute-api:eu-west-1:*:*/dev/*' }
  eve:
    accessKeys: { id: AKIAEVE, secret: eve's }
    policies: { Version: '2012-10-17', Statement: { Effect: Allow, Action: s3:*, Resource: '*' } }
`

// connectIsSigned is what a serverless.yml has to say for AWS_IAM on $connect.
const connectIsSigned = `
resources:
  Resources:
    SconnectWebsocketsRoute: { Properties: { AuthorizationType: AWS_IAM } }
`

func keys(id, secret, token string) []string {
	env := []string{"AWS_ACCESS_KEY_ID=" + id, "AWS_SECRET_ACCESS_KEY=" + secret, "AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1", "AWS_PAGER="}
	if token != "" {
		env = append(env, "AWS_SESSION_TOKEN="+token)
	}
	return env
}

var (
	annKeys  = keys("AKIAANN", "ann/s+secret", "")
	annTemp  = keys("ASIAANN", "another", "to/ken+with==signs")
	eveKeys  = keys("AKIAEVE", "eve's", "")
	allWrong = map[string]struct {
		env  []string
		code string
	}{
		"wrong secret": {keys("AKIAANN", "x", ""), "InvalidSignatureException"},
		"unknown key":  {keys("AKIANOBODY", "x", ""), "UnrecognizedClientException"},
		"wrong token":  {keys("ASIAANN", "another", "x"), "UnrecognizedClientException"},
		"no policy":    {eveKeys, "AccessDeniedException"},
	}
)

// startSigned runs one of testdata's projects with users and signatures; those who use it must sign.
func startSigned(t *testing.T, project, modules string) *dev {
	t.Helper()
	dir := copyProject(t, filepath.Join("testdata", project), modules)
	writeFile(t, filepath.Join(dir, "cleat.yaml"), signedSettings)
	return startDevIn(t, dir, options{})
}

// What functions do with the SDKs works as it is where signatures are asked for.
func TestSignedFunctions(t *testing.T) {
	for project, p := range map[string]struct {
		modules string
		actions []string
	}{
		"javascript": {"node_modules", []string{"v2", "v3"}},
		"python":     {"", []string{"boto3"}},
	} {
		t.Run(project, func(t *testing.T) {
			d := startSigned(t, project, p.modules)
			for _, action := range p.actions {
				for _, via := range []string{"domain", "aws"} {
					t.Run(action+" via "+via, func(t *testing.T) { d.in(t).checkManagement(action, via, "GoneException") })
				}
			}
		})
	}
}

// Programs outside get in with the right keys, and otherwise the exception that AWS has for it.
func TestSignedOutside(t *testing.T) {
	d := startSigned(t, "recorder", "")
	c, id := d.connect()
	for name, program := range map[string][]string{
		"JavaScript SDK v3": {"node", "clients/sdk3.mjs"},
		"boto3":             {filepath.Join(strings.SplitN(built.path, ":", 2)[0], "python3"), "clients/outside.py"},
	} {
		t.Run(name, func(t *testing.T) {
			call := func(env []string, op string, args ...string) outcome {
				t.Helper()
				args = append([]string{program[1], d.endpoint(), op, id}, args...)
				return reply[outcome](t, mustCommand(t, env, "", program[0], args...))
			}
			for _, env := range [][]string{annKeys, annTemp} {
				if got := call(env, "post", "signed: grüße"); got.Error != nil {
					t.Fatalf("post: %+v", *got.Error)
				}
				if got := c.in(t).receive(); got != "signed: grüße" {
					t.Errorf("received %q", got)
				}
				if got := call(env, "get"); got.Error != nil || !strings.Contains(string(got.Result), "127.0.0.1") {
					t.Errorf("get: %s %+v", got.Result, got.Error)
				}
			}
			for why, wrong := range allWrong {
				got := call(wrong.env, "post", "no")
				if got.Error == nil || got.Error.StatusCode != http.StatusForbidden || got.Error.Name != wrong.code && got.Error.Code != wrong.code {
					t.Errorf("%s: %s %+v, want 403 %s", why, got.Result, got.Error, wrong.code)
				}
			}
		})
	}
	for _, program := range awsCLIs(t) {
		t.Run(program, func(t *testing.T) {
			args := []string{"apigatewaymanagementapi", "get-connection", "--connection-id", id, "--endpoint-url", d.endpoint()}
			for _, env := range [][]string{annKeys, annTemp} {
				if got := mustCommand(t, env, "", program, args...); !strings.Contains(got, "127.0.0.1") {
					t.Errorf("got %s", got)
				}
			}
			for why, wrong := range allWrong {
				if _, stderr, err := command(t, wrong.env, "", program, args...); err == nil || !strings.Contains(stderr, wrong.code) {
					t.Errorf("%s: %v, %q, want %s", why, err, stderr, wrong.code)
				}
			}
		})
	}
	// The project's own command signs too.
	if got := mustCommand(t, annKeys, "", built.cleat, "connections", "--endpoint", d.endpoint(), "ls"); !strings.Contains(got, id) {
		t.Errorf("cleat connections ls printed %s", got)
	}
}

// A browser cannot set headers: it connects to an AWS_IAM route with a presigned URL.
func TestPresignedConnect(t *testing.T) {
	dir := copyProject(t, filepath.Join("testdata", "recorder"), "")
	writeFile(t, filepath.Join(dir, "cleat.yaml"), signedSettings)
	project := filepath.Join(dir, "serverless.yml")
	content, err := os.ReadFile(project)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, project, string(content)+connectIsSigned)
	d := startDevIn(t, dir, options{})
	presign := func(env []string, url string) string {
		t.Helper()
		return strings.TrimSpace(mustCommand(t, env, "", "node", "clients/presign.mjs", url))
	}
	for _, env := range [][]string{annKeys, annTemp} {
		c := dial(t, presign(env, d.ws()+"?room=a%20b%2Bc"), nil)
		if id := c.ask(`{"action":"whoami"}`); len(id) != 16 {
			t.Errorf("got %q", id)
		}
		c.conn.Close(websocket.StatusNormalClosure, "")
	}
	if status := refused(t, d.ws()); status != http.StatusForbidden {
		t.Errorf("unsigned: %d, want 403", status)
	}
	for why, wrong := range allWrong {
		if status := refused(t, presign(wrong.env, d.ws())); status != http.StatusForbidden {
			t.Errorf("%s: %d, want 403", why, status)
		}
	}
	if status := refused(t, presign(annKeys, d.ws())+"&admin=1"); status != http.StatusForbidden {
		t.Errorf("changed after signing: %d, want 403", status)
	}
}

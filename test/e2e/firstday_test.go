//go:build e2e

package e2e_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestFirstDay does on a node what docs/running-a-node.md and docs/credentials.md show, as somebody who has just installed Cleat: with
// the AWS CLI, a profile made by the lines that the first start prints, and wscat.
func TestFirstDay(t *testing.T) {
	t.Parallel()
	s := startServe(t)
	home := t.TempDir()
	// The printed lines, as they are, in a shell.
	printed := regexp.MustCompile(`(?m)^  aws configure set .*$`).FindAllString(s.log.text(), -1)
	if len(printed) != 2 {
		t.Fatalf("the first start prints %q, want two lines for the AWS CLI:\n%s", printed, s.log.text())
	}
	profile := []string{
		"AWS_CONFIG_FILE=" + filepath.Join(home, "config"), "AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(home, "credentials"),
		"AWS_REGION=" + region, "AWS_DEFAULT_REGION=" + region, "AWS_PAGER=",
	}
	mustCommand(t, profile, "", "sh", "-ec", strings.Join(printed, "\n"))
	s.key = append(profile, "AWS_PROFILE=cleat")
	aws := func(words string, args ...string) string {
		t.Helper()
		return s.in(t).aws(awsCLIs(t)[0], words, args...)
	}

	if got := aws("sts get-caller-identity --query Arn"); got != "arn:aws:iam::123456789012:user/admin" {
		t.Errorf("the key is that of %s", got)
	}
	code := zipFile(t, "testdata/life/index.js", "")
	function := aws("lambda create-function --function-name chat --runtime nodejs20.x --handler index.handler --query FunctionArn",
		"--role", "arn:aws:iam::123456789012:role/chat", "--zip-file", "fileb://"+code, "--environment", "Variables={REVISION=chat}")
	aws("lambda wait function-active-v2 --function-name chat")
	api := aws("apigatewayv2 create-api --name chat --protocol-type WEBSOCKET --query ApiId", "--route-selection-expression", "$request.body.action")
	integration := aws("apigatewayv2 create-integration --integration-type AWS_PROXY --query IntegrationId --api-id", api,
		"--integration-uri", "arn:aws:apigateway:"+region+":lambda:path/2015-03-31/functions/"+function+"/invocations")
	route := aws("apigatewayv2 create-route --query RouteId --route-key $default --route-response-selection-expression $default --api-id", api,
		"--target", "integrations/"+integration)
	aws("apigatewayv2 create-route-response --route-response-key $default --api-id", api, "--route-id", route)
	deployment := aws("apigatewayv2 create-deployment --query DeploymentId --api-id", api)
	aws("apigatewayv2 create-stage --stage-name prod --api-id", api, "--deployment-id", deployment)
	dialSoon(t, s.ws(api, "prod")).conn.CloseNow()

	s.firstTalk(api)
	s.restart(syscall.SIGTERM)
	if got := aws("apigatewayv2 get-apis --query Items[].Name"); got != "chat" {
		t.Errorf("after a restart the node has the APIs %q", got)
	}
	s.firstTalk(api)
}

// firstTalk has wscat talk to the API, and pushes to it.
func (s *serve) firstTalk(api string) {
	t := s.t
	t.Helper()
	cat := startWscat(t, s.ws(api, "prod"))
	cat.say("hello")
	cat.hear(`^< (chat got hello)$`)
	ids := s.ids(api, "prod")
	if len(ids) != 1 {
		t.Fatalf("the stage has the connections %q, want wscat's", ids)
	}
	message := filepath.Join(t.TempDir(), "message.txt")
	writeFile(t, message, "pushed to "+ids[0])
	push := []string{"apigatewaymanagementapi", "post-to-connection", "--connection-id", ids[0], "--data", "fileb://" + message, "--endpoint-url", s.connections(api, "prod")}
	mustCommand(t, s.key, "", awsCLIs(t)[0], push...)
	cat.hear(`^< (pushed to ` + regexp.QuoteMeta(ids[0]) + `)$`)
	for why, wrong := range map[string]struct {
		env  []string
		args []string
		code string
	}{
		"without a key":    {s.key, append(slices.Clone(push), "--no-sign-request"), "MissingAuthenticationTokenException"},
		"with a wrong one": {signWith("AKIANOBODY", "x"), push, "UnrecognizedClientException"},
	} {
		if _, stderr, err := command(t, wrong.env, "", awsCLIs(t)[0], wrong.args...); err == nil || !strings.Contains(stderr, wrong.code) {
			t.Errorf("a push %s: %v, %q, want %s", why, err, stderr, wrong.code)
		}
	}
	mustCommand(t, s.key, "", awsCLIs(t)[0], "apigatewaymanagementapi", "delete-connection", "--connection-id", ids[0], "--endpoint-url", s.connections(api, "prod"))
	cat.hear(`^(Disconnected) \(code: 1000`)
}

package server_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"cleat/internal/project"
	"cleat/internal/server"
)

const keyed = `name: shop
limits: { connectRate: 2000, requestRate: off }
routes:
  $connect: { mock: true, apiKeyRequired: true }
  $default: { mock: { response: { heard: true } } }
  slow: { mock: { response: { heard: true } }, throttle: { rate: 0.001, burst: 1 } }
apiKeys:
  partner: for-the-partner-at-home
  phone:
  former: { value: for-nobody-any-more-now, enabled: false }
usagePlans:
  paid: { keys: [partner, former] }
  free: { keys: phone, quota: 3/month }
`

// knock connects with an API key and returns the connection, nil when refused, and the status and text of the answer.
func (r *run) knock(t *testing.T, key string) (*websocket.Conn, int, string) {
	t.Helper()
	ws, res, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+r.info.Addr+"/dev", http.Header{"x-api-key": {key}})
	if res == nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if ws != nil {
		t.Cleanup(func() { _ = ws.Close() })
		return ws, res.StatusCode, ""
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return nil, res.StatusCode, string(body)
}

// API keys, usage plans and throttles from cleat.yaml to the client (spec data-plane §2 table and §7), through a reload.
func TestUsagePlansOfCleatYAML(t *testing.T) {
	r := start(t, map[string]string{"cleat.yaml": keyed})
	keys := r.info.Outcome.APIKeys
	if len(keys) != 3 || keys[0].Name != "partner" || keys[0].Generated || !keys[1].Generated || len(keys[1].Value) != 40 || keys[2].Enabled {
		t.Fatalf("outcome: %+v", keys)
	}
	for name, tc := range map[string]struct {
		key    string
		status int
	}{
		"no key": {"", 403}, "unknown": {"nobody-has-this-key-0", 403}, "not enabled": {"for-nobody-any-more-now", 403},
	} {
		if _, status, body := r.knock(t, tc.key); status != tc.status || !strings.HasPrefix(body, `{"message": "Forbidden", `) {
			t.Errorf("%s: got %d %s", name, status, body)
		}
	}

	ws, status, body := r.knock(t, "for-the-partner-at-home")
	if ws == nil {
		t.Fatalf("the partner's key: %d %s", status, body)
	}
	if got := ask(t, ws, "x"); got != `{"heard":true}` {
		t.Errorf("got %s", got)
	}
	const tooMany, exceeded = `{"message": "Too Many Requests", `, `{"message": "Limit Exceeded", `
	if got := ask(t, ws, `{"action":"slow"}`); got != `{"heard":true}` {
		t.Errorf("slow: got %s", got)
	}
	if got := ask(t, ws, `{"action":"slow"}`); !strings.HasPrefix(got, tooMany) {
		t.Errorf("slow again: got %s", got)
	}

	phone, status, body := r.knock(t, keys[1].Value)
	if phone == nil {
		t.Fatalf("the phone's key: %d %s", status, body)
	}
	for range 2 {
		if got := ask(t, phone, "x"); got != `{"heard":true}` {
			t.Errorf("within the quota: got %s", got)
		}
	}
	if got := ask(t, phone, "x"); !strings.HasPrefix(got, exceeded) {
		t.Errorf("past the quota: got %s", got)
	}

	// What is used stays used through a reload; more quota is more; the generated key stays.
	r.write(t, "cleat.yaml", strings.Replace(keyed, "3/month", "4/month", 1)+"stageVariables: { a: b }\n")
	select {
	case re := <-r.reloaded:
		if len(re.Outcome.APIKeys) != 3 || re.Outcome.APIKeys[1] != keys[1] || re.Moved {
			t.Errorf("reloaded: %+v", re)
		}
	case err := <-r.faults:
		t.Fatal(err)
	case <-time.After(time.Minute):
		t.Fatal("not reloaded")
	}
	if got := ask(t, ws, `{"action":"slow"}`); !strings.HasPrefix(got, tooMany) {
		t.Errorf("slow after a reload: got %s", got)
	}
	if got := ask(t, phone, "x"); got != `{"heard":true}` {
		t.Errorf("one more: got %s", got)
	}
	if got := ask(t, phone, "x"); !strings.HasPrefix(got, exceeded) {
		t.Errorf("past the new quota: got %s", got)
	}
	if _, status, body := r.knock(t, keys[1].Value); status != 429 || !strings.HasPrefix(body, exceeded) {
		t.Errorf("a connect past the quota: got %d %s", status, body)
	}
}

// The rates of the account are limits like the others: in cleat.yaml, and changed by a reload.
func TestRatesOfCleatYAML(t *testing.T) {
	const text = "name: demo\nroutes: { $default: { mock: { response: { heard: true } } } }\n"
	r := start(t, map[string]string{"cleat.yaml": text + "limits: { requestRate: 1, requestBurst: 3 }\n"})
	ws := r.dial(t)
	refused := 0
	for range 5 {
		if got := ask(t, ws, "x"); strings.HasPrefix(got, `{"message": "Too Many Requests", "connectionId":"`) {
			refused++
		}
	}
	if refused < 2 {
		t.Errorf("%d of 5 messages were refused, want 3 or, on a slow machine, 2", refused)
	}
	r.write(t, "cleat.yaml", text+"limits: { requestRate: never }\n")
	select {
	case <-r.reloaded:
	case <-time.After(time.Minute):
		t.Fatal("not reloaded")
	}
	for range 10 {
		if got := ask(t, ws, "x"); got != `{"heard":true}` {
			t.Errorf("got %s", got)
		}
	}
}

// The resources of a serverless.yml may have API keys and usage plans (spec control-plane §15 and §16); those under
// provider.apiGateway are of its REST API and have no effect.
func TestUsagePlansOfServerless(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"app.js": "exports.handler = async () => ({ statusCode: 200 });\n",
		"serverless.yml": `service: shop
provider:
  name: aws
  runtime: nodejs20.x
  apiGateway: { apiKeys: [rest], usagePlan: { quota: { limit: 5, period: DAY } } }
functions:
  app: { handler: app.handler, events: [ { websocket: $connect }, { websocket: $default } ] }
resources:
  Resources:
    Partner: { Type: AWS::ApiGateway::ApiKey, Properties: { Name: partner, Enabled: true } }
    Gold:
      Type: AWS::ApiGateway::UsagePlan
      Properties:
        ApiStages: [ { ApiId: { Ref: WebsocketsApi }, Stage: { Ref: WebsocketsDeploymentStage } } ]
        Quota: { Limit: 5, Period: DAY }
    PartnerInGold:
      Type: AWS::ApiGateway::UsagePlanKey
      Properties: { KeyId: { Ref: Partner }, KeyType: API_KEY, UsagePlanId: { Ref: Gold } }
  extensions:
    SconnectWebsocketsRoute: { Properties: { ApiKeyRequired: true } }
    WebsocketsDeploymentStage: { Properties: { RouteSettings: { $default: { ThrottlingRateLimit: 5, ThrottlingBurstLimit: 5 } } } }
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	report, err := server.Check(t.Context(), dir, project.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if keys := report.Outcome.APIKeys; len(keys) != 1 || keys[0].Name != "partner" || !keys[0].Enabled {
		t.Errorf("API keys: %+v", keys)
	}
	if len(report.Warnings) > 0 || len(report.Outcome.LeftAlone) > 0 {
		t.Errorf("warnings %v, left alone %v", report.Warnings, report.Outcome.LeftAlone)
	}
}

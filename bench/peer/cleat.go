package peer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
)

// The bench's own key, which the node and its caller both know. It is good for nothing but a node on loopback.
const (
	cleatKey    = "AKIACLEATBENCH"
	cleatSecret = "bench"
	cleatRegion = "us-east-1"
)

type cleat struct{ program string }

// Cleat returns Cleat itself, built from the module that the working directory is in.
func Cleat() Server { return &cleat{} }

func (*cleat) Name() string { return "cleat" }

func (c *cleat) Install(ctx context.Context, dir string) (string, error) {
	c.program = filepath.Join(dir, "cleat")
	if _, err := run(ctx, "", "go", "build", "-o", c.program, "cleat/cmd/cleat"); err != nil {
		return "", err
	}
	revision, err := run(ctx, "", "git", "describe", "--always", "--dirty")
	if err != nil {
		return "of this tree", nil //nolint:nilerr // sources need not come by git
	}
	return revision, nil
}

func (*cleat) Notes() string {
	return "`cleat serve` as it is installed, with its data directory on disk, metrics and meter; the API is sent by `cleat apply`. " +
		"AWS's quotas hold but for rates (`limits`: connects and requests a second are unlimited). A message goes by its route key to an " +
		"`HTTP_PROXY` integration of a two-way route; a push is a POST to @connections. `cleat serve` takes none that is not signed with Signature " +
		"Version 4, and has no setting that would: it verifies each and asks its sender's policies, where the peers' pushes are open to whoever " +
		"reaches them. That is in every figure of its pushes; what it costs say `BenchmarkFrontPush` and `BenchmarkFrontPushSigned` of " +
		"internal/gateway. The caller's part of the signature is not measured."
}

func (*cleat) Can(Scenario) (string, bool) { return "", true }

// cleatNode is the node's own file.
var cleatNode = template.Must(template.New("node.yaml").Parse(`data: {{.Dir}}/data
region: {{.Region}}
public: { listen: "{{.Addr}}" }
admin: { listen: "{{.Admin}}" }
{{- if .CertFile}}
tls: { cert: {{.CertFile}}, key: {{.KeyFile}} }
{{- end}}
limits: { profile: aws, connectRate: never, requestRate: never{{if .IdleTimeout}}, idleTimeout: {{.IdleTimeout}}{{end}} }
users:
  bench:
    accessKeys: [{ id: {{.Key}}, secret: {{.Secret}} }]
    policies: [{ Version: '2012-10-17', Statement: { Effect: Allow, Action: '*', Resource: '*' } }]
`))

// cleatProject is the API.
var cleatProject = template.Must(template.New("cleat.yaml").Parse(`name: bench
region: {{.Region}}
routes:
  $connect: {{if .Authorize}}http://{{.Backend}}/ok{{else}}{ mock: true }{{end}}
  message: { http: "http://{{.Backend}}/echo", twoWay: true }
  mock: { mock: { response: '{"from":"$context.connectionId","route":"$context.routeKey","at":$context.requestTimeEpoch}' } }
  whoami: { mock: { response: '{"id":"$context.connectionId"}' } }
{{- if .Function}}
  function: { function: echo, twoWay: true }
functions:
  echo: { handler: function.handler, runtime: {{.Runtime}} }
{{- end}}
`))

const cleatFunction = "exports.handler = async (event) => ({ statusCode: 200, body: event.body });\n"

func (c *cleat) Start(ctx context.Context, s Setup) (Instance, error) {
	addrs, err := freeAddrs(ctx, 2)
	if err != nil {
		return nil, err
	}
	i := &cleatInstance{instance: newInstance(s.Dir, addrs[0]), scenario: s.Scenario}
	project := filepath.Join(s.Dir, "project")
	if err := os.Mkdir(project, 0o750); err != nil {
		return nil, err
	}
	values := map[string]any{
		"IdleTimeout": s.IdleTimeout, "Dir": s.Dir, "Region": cleatRegion, "Addr": addrs[0], "Admin": addrs[1], "CertFile": s.CertFile, "KeyFile": s.KeyFile,
		"Key": cleatKey, "Secret": cleatSecret, "Backend": s.Backend,
		"Authorize": s.Scenario == ScenarioConnectHTTP, "Function": s.Scenario == ScenarioFunction, "Runtime": "nodejs22.x",
	}
	node := filepath.Join(s.Dir, "node.yaml")
	err = errors.Join(render(node, cleatNode, values), render(filepath.Join(project, "cleat.yaml"), cleatProject, values),
		os.WriteFile(filepath.Join(project, "function.js"), []byte(cleatFunction), 0o600))
	if err != nil {
		return nil, err
	}
	if err := i.start("cleat", nil, c.program, "serve", "--config", node); err != nil {
		return nil, err
	}
	if err := i.ready(ctx, addrs...); err != nil {
		return nil, err
	}
	if i.path, err = c.apply(ctx, project, "http://"+addrs[1]); err != nil {
		return nil, errors.Join(err, i.stop())
	}
	return i, nil
}

// apply sends the project to the node and returns the path of the stage.
func (c *cleat) apply(ctx context.Context, project, endpoint string) (path string, err error) {
	out, err := run(ctx, "", "env", "AWS_ACCESS_KEY_ID="+cleatKey, "AWS_SECRET_ACCESS_KEY="+cleatSecret, "AWS_REGION="+cleatRegion,
		c.program, "apply", project, "--yes", "--endpoint", endpoint, "--output", "json")
	if err != nil {
		return "", err
	}
	return stagePath(out)
}

type cleatInstance struct {
	instance
	scenario Scenario
	path     string // of the stage: "/a1b2c3d4e5/dev"
}

// Client asks who it is where it is going to be pushed to.
func (c *cleatInstance) Client(int) Client {
	action := "message"
	switch c.scenario {
	case ScenarioMock:
		action = "mock"
	case ScenarioFunction:
		action = "function"
	default: // through the backend
	}
	before := []byte(`{"action":"` + action + `","data":"`)
	client := Client{
		Path: c.path,
		Message: func(dst []byte, _ uint64, payload []byte) []byte {
			return append(append(append(dst, before...), payload...), `"}`...)
		},
	}
	if c.scenario == ScenarioMock {
		client.Answers = []byte(`"route":"mock"`) // a MOCK's response template sees nothing of the message
	}
	if c.scenario == ScenarioPush {
		client.Hello = []byte(`{"action":"whoami"}`)
		client.Identify = func(text []byte) (string, bool) {
			var answer struct{ ID string }
			err := json.Unmarshal(text, &answer)
			return answer.ID, err == nil && answer.ID != ""
		}
	}
	return client
}

func (c *cleatInstance) Push(_ int, id string, text []byte) (string, []byte) {
	u := &url.URL{Scheme: "http", Host: c.addr, Path: c.path + "/@connections/" + id}
	u.RawPath = c.path + "/@connections/" + url.PathEscape(id)
	headers := apigw.Fields{{Name: "Content-Type", Value: "application/octet-stream"}}
	var signer awsapi.SigV4
	added := signer.Sign("POST", u, headers, text, "execute-api", cleatRegion,
		awsapi.Credentials{AccessKeyID: cleatKey, SecretAccessKey: cleatSecret}, time.Now())
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", u.EscapedPath(), c.addr, len(text))
	for _, f := range append(headers, added...) {
		fmt.Fprintf(&b, "%s: %s\r\n", f.Name, f.Value)
	}
	b.WriteString("\r\n")
	b.Write(text)
	return c.addr, b.Bytes()
}

// stagePath finds the path of the only stage in what `cleat apply` prints.
func stagePath(out string) (string, error) {
	at := strings.Index(out, "ws://")
	if at < 0 {
		at = strings.Index(out, "wss://")
	}
	if at < 0 {
		return "", fmt.Errorf("cleat apply names no address: %s", out)
	}
	address, _, _ := strings.Cut(out[at:], `"`)
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	return u.Path, nil
}

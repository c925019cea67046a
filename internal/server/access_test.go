package server_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/gorilla/websocket"

	"cleat/internal/access"
	"cleat/internal/awsapi"
	"cleat/internal/control/stacks"
	"cleat/internal/project"
	"cleat/internal/server"
	"cleat/internal/store"
	"cleat/internal/store/natskv"
	"cleat/internal/testkit"
)

// signedCall makes a request, signed where there are credentials. The caller closes the answer's body.
func signedCall(t *testing.T, at net.Addr, service string, c awsapi.Credentials, method, path, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+at.String()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	if c.AccessKeyID != "" {
		var signer awsapi.SigV4
		for _, f := range signer.Sign(method, req.URL, nil, []byte(body), service, "us-east-1", c, time.Now()) {
			req.Header.Set(f.Name, f.Value)
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// statusOf makes a call and returns its status and the body's beginning.
func statusOf(t *testing.T, at net.Addr, service string, c awsapi.Credentials, method, path, body string) string {
	t.Helper()
	res := signedCall(t, at, service, c, method, path, body)
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 300))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s %s", res.StatusCode, res.Header.Get("x-amzn-ErrorType"), text)
}

func (s *served) iam(c awsapi.Credentials) *iam.Client {
	return iam.New(iam.Options{Region: "eu-west-3", BaseEndpoint: aws.String("http://" + s.admin.String()), RetryMaxAttempts: 1, Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, "")})
}

// newUser makes a user with a policy and a key, as the administrator.
func (s *served) newUser(t *testing.T, name, policy string) awsapi.Credentials {
	t.Helper()
	c, ctx := s.iam(s.key), t.Context()
	_, err := c.CreateUser(ctx, &iam.CreateUserInput{UserName: &name})
	if err == nil && policy != "" {
		_, err = c.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: &name, PolicyName: aws.String("p"), PolicyDocument: &policy})
	}
	var key *iam.CreateAccessKeyOutput
	if err == nil {
		key, err = c.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: &name})
	}
	if err != nil {
		t.Fatal(err)
	}
	return awsapi.Credentials{AccessKeyID: *key.AccessKey.AccessKeyId, SecretAccessKey: *key.AccessKey.SecretAccessKey}
}

const (
	createAPI = `{"name":"chat","protocolType":"WEBSOCKET","routeSelectionExpression":"$request.body.action"}`
	allowPush = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["execute-api:ManageConnections"],"Resource":"*"}}`
)

// The life of a node's credentials: the first key, users made with it, what they may, what they may no longer; the audit log
// tells of all of it, and no log of a secret.
func TestServeCredentials(t *testing.T) {
	var log testkit.Log
	s := serve(t, func(o *server.ServeOptions) {
		o.NewLog = logTo(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	})
	nobody := awsapi.Credentials{}
	check := func(what, got, want string) {
		t.Helper()
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s, want %s", what, got, want)
		}
	}
	check("unsigned", statusOf(t, s.admin, "", nobody, "POST", "/v2/apis", createAPI), "403 MissingAuthenticationTokenException")
	check("anybody", statusOf(t, s.admin, "apigateway", awsapi.Credentials{AccessKeyID: "x", SecretAccessKey: "x"}, "POST", "/v2/apis", createAPI), "403 UnrecognizedClientException")
	check("the administrator", statusOf(t, s.admin, "apigateway", s.key, "POST", "/v2/apis", createAPI), "201 ")
	check("@connections, unsigned", statusOf(t, s.public, "", nobody, "GET", "/@connections", ""), "403 MissingAuthenticationTokenException")
	check("@connections", statusOf(t, s.public, "execute-api", s.key, "GET", "/@connections", ""), "200 ")

	bob := s.newUser(t, "bob", allowPush)
	check("a user without permission", statusOf(t, s.admin, "apigateway", bob, "POST", "/v2/apis", createAPI),
		`403 AccessDeniedException {"Message":"User: arn:aws:iam::123456789012:user/bob is not authorized to perform: apigateway:POST on resource: arn:aws:apigateway:us-east-1::/apis"}`)
	check("what they may", statusOf(t, s.public, "execute-api", bob, "GET", "/@connections", ""), "200 ")
	who, err := sts.New(sts.Options{Region: "us-east-1", BaseEndpoint: aws.String("http://" + s.admin.String()), Credentials: credentials.NewStaticCredentialsProvider(bob.AccessKeyID, bob.SecretAccessKey, "")}).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || *who.Arn != "arn:aws:iam::123456789012:user/bob" {
		t.Errorf("got %+v, %v", who, err)
	}
	if _, err := s.iam(bob).CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("eve")}); err == nil || !strings.Contains(err.Error(), "AccessDenied: User: arn:aws:iam::123456789012:user/bob is not authorized to perform: iam:CreateUser on resource: arn:aws:iam::123456789012:user/eve because no identity-based policy allows the iam:CreateUser action") {
		t.Errorf("got %v", err)
	}

	// Each change holds for the next request.
	admin := s.iam(s.key)
	for range 20 {
		for _, status := range []types.StatusType{types.StatusTypeInactive, types.StatusTypeActive} {
			if _, err := admin.UpdateAccessKey(t.Context(), &iam.UpdateAccessKeyInput{UserName: aws.String("bob"), AccessKeyId: &bob.AccessKeyID, Status: status}); err != nil {
				t.Fatal(err)
			}
			want := map[types.StatusType]string{types.StatusTypeInactive: "403 UnrecognizedClientException", types.StatusTypeActive: "200 "}
			got := statusOf(t, s.public, "execute-api", bob, "GET", "/@connections", "")
			if status == types.StatusTypeInactive && strings.HasPrefix(got, "429 ") {
				continue // enough failures
			}
			if !strings.HasPrefix(got, want[status]) && !strings.HasPrefix(got, "429 ") {
				t.Fatalf("%s: got %s", status, got)
			}
		}
	}
	used, err := admin.GetAccessKeyLastUsed(t.Context(), &iam.GetAccessKeyLastUsedInput{AccessKeyId: &bob.AccessKeyID})
	if err != nil || used.AccessKeyLastUsed.LastUsedDate == nil {
		t.Errorf("got %+v, %v", used, err)
	}
	s.stop()

	lines := auditLines(t, s.dir)
	has := func(want map[string]any) {
		t.Helper()
		for _, l := range lines {
			same := true
			for k, v := range want {
				same = same && fmt.Sprint(l[k]) == fmt.Sprint(v)
			}
			if same {
				return
			}
		}
		t.Errorf("the audit log does not tell of %v", want)
	}
	has(map[string]any{"operation": "FirstAdmin", "result": "done"})
	has(map[string]any{"operation": "CreateApi", "result": "refused", "status": 403, "source_ip": "127.0.0.1"})
	has(map[string]any{"operation": "CreateApi", "result": "done", "status": 201, "user": "arn:aws:iam::123456789012:user/admin", "access_key_id": s.key.AccessKeyID, "service": "apigateway"})
	has(map[string]any{"operation": "CreateApi", "result": "refused", "user": "arn:aws:iam::123456789012:user/bob"})
	has(map[string]any{"operation": "CreateAccessKey", "result": "done", "resource": "arn:aws:iam::123456789012:user/bob"})
	has(map[string]any{"operation": "CreateUser", "result": "refused", "resource": "arn:aws:iam::123456789012:user/eve"})
	audit, err := os.ReadFile(filepath.Join(s.dir, "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{s.key.SecretAccessKey, bob.SecretAccessKey} {
		if strings.Contains(log.String(), secret) || bytes.Contains(audit, []byte(secret)) {
			t.Error("a secret is in a log")
		}
	}
	if strings.Contains(log.String(), s.key.AccessKeyID) {
		t.Error("the first key is in the log")
	}
}

func auditLines(t *testing.T, dir string) []map[string]any {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []map[string]any
	for s := bufio.NewScanner(f); s.Scan(); {
		var line map[string]any
		if err := json.Unmarshal(s.Bytes(), &line); err != nil {
			t.Errorf("%s: %v", s.Text(), err)
		}
		out = append(out, line)
	}
	return out
}

// A key that could not be shown does not exist, and the node says so instead of running.
func TestServeFirstKeyNotShown(t *testing.T) {
	broken := errors.New("broken pipe")
	err := server.RunServe(t.Context(), server.ServeOptions{
		DataDir: t.TempDir(), Overrides: listening("127.0.0.1:0"),
		Access: access.Options{ShowFirstKey: func(awsapi.Credentials) error { return broken }},
	})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "could not be shown") {
		t.Errorf("got %v", err)
	}
}

func TestServeSealKeyFaults(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bad.key"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		access access.Options
		want   string
	}{
		"text":    {access.Options{SealKey: "secret"}, "the sealing key that was given: it is no sealing key"},
		"file":    {access.Options{SealKeyFile: filepath.Join(dir, "bad.key")}, "bad.key: it is no sealing key"},
		"no file": {access.Options{SealKeyFile: filepath.Join(dir, "none.key")}, "none.key"},
		"audit":   {access.Options{Audit: filepath.Join(dir, "none", "audit.log")}, "the audit log"},
	} {
		err := server.RunServe(t.Context(), server.ServeOptions{DataDir: filepath.Join(dir, "data"), Overrides: listening("127.0.0.1:0"), Access: test.access})
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), `"secret"`) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Who may see metrics: this machine where nobody else reaches the listener, and no web page or proxy on it; users elsewhere.
func TestServeLogin(t *testing.T) {
	local := serve(t, nil)
	open := serve(t, func(o *server.ServeOptions) { o.Overrides = listening("0.0.0.0:0") })
	monitor := open.newUser(t, "monitor", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"cleat:ReadMetrics","Resource":"arn:aws:cleat:*:*:node"}}`)
	other := open.newUser(t, "other", allowPush)
	for name, test := range map[string]struct {
		at     *served
		change func(*http.Request)
		status int
	}{
		"this machine":        {local, func(*http.Request) {}, 200},
		"by name":             {local, func(r *http.Request) { r.Host = "localhost:3002" }, 200},
		"by a page's name":    {local, func(r *http.Request) { r.Host = "evil.example" }, 403},
		"a page":              {local, func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403},
		"a proxy":             {local, func(r *http.Request) { r.Header.Set("X-Forwarded-For", "203.0.113.7") }, 401},
		"a proxy of RFC 7239": {local, func(r *http.Request) { r.Header.Set("Forwarded", "for=203.0.113.7") }, 401},
		"a proxy, with a login": {local, func(r *http.Request) {
			r.Header.Set("Via", "x")
			r.SetBasicAuth(local.key.AccessKeyID, local.key.SecretAccessKey)
		}, 200},
		"open, nobody":        {open, func(*http.Request) {}, 401},
		"open, administrator": {open, func(r *http.Request) { r.SetBasicAuth(open.key.AccessKeyID, open.key.SecretAccessKey) }, 200},
		"open, a user":        {open, func(r *http.Request) { r.SetBasicAuth(monitor.AccessKeyID, monitor.SecretAccessKey) }, 200},
		"open, wrong secret":  {open, func(r *http.Request) { r.SetBasicAuth(monitor.AccessKeyID, other.SecretAccessKey) }, 401},
		"open, no permission": {open, func(r *http.Request) { r.SetBasicAuth(other.AccessKeyID, other.SecretAccessKey) }, 403},
		"open, a page's request": {open, func(r *http.Request) {
			r.SetBasicAuth(monitor.AccessKeyID, monitor.SecretAccessKey)
			r.Header.Set("Origin", "https://evil.example")
		}, 403},
		"open, signed": {open, func(r *http.Request) {
			var signer awsapi.SigV4
			for _, f := range signer.Sign("GET", r.URL, nil, nil, "cleat", "us-east-1", monitor, time.Now()) {
				r.Header.Set(f.Name, f.Value)
			}
		}, 200},
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", "http://127.0.0.1:"+portOf(test.at.admin)+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		test.change(req)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != test.status || (res.StatusCode == 401) != (res.Header.Get("WWW-Authenticate") != "") {
			t.Errorf("%s: got %d, want %d", name, res.StatusCode, test.status)
		}
	}
	// HTTP/1.0 is what a proxy speaks that says nothing of its clients.
	c, err := net.Dial("tcp", local.admin.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || !strings.Contains(line, " 401 ") {
		t.Errorf("HTTP/1.0: got %q, %v", line, err)
	}
}

func portOf(a net.Addr) string {
	_, port, _ := net.SplitHostPort(a.String())
	return port
}

// Guesses are slowed down on every way in, and a right signature from the same address with another key is not.
func TestServeFailureLimit(t *testing.T) {
	s := serve(t, nil)
	bob := s.newUser(t, "bob", allowPush)
	wrong := bob
	wrong.SecretAccessKey = "guessed"
	for n := range 12 {
		want := "403 InvalidSignatureException"
		if n >= 10 {
			want = "429 TooManyRequestsException"
		}
		if got := statusOf(t, s.admin, "apigateway", wrong, "GET", "/v2/apis/x", ""); !strings.HasPrefix(got, want) {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
	if got := statusOf(t, s.public, "execute-api", bob, "GET", "/@connections", ""); !strings.HasPrefix(got, "429 ") {
		t.Errorf("@connections: got %s", got)
	}
	if got := statusOf(t, s.public, "execute-api", s.key, "GET", "/@connections", ""); !strings.HasPrefix(got, "200 ") {
		t.Errorf("another key: got %s", got)
	}
}

// With managementAuth the users of cleat.yaml are enforced on the control plane of "cleat dev" too, and no other user can take their name.
func TestDevUsersOnControlPlane(t *testing.T) {
	const code = `exports.ask = async () => ({}); exports.bye = async () => ({});`
	everything := strings.Replace(signedYML, "Action: 'execute-api:*'", "Action: '*'", 1)
	r := start(t, map[string]string{"serverless.yml": serverlessYML, "cleat.yaml": everything, "h.js": code})
	addr, err := net.ResolveTCPAddr("tcp", r.info.Addr)
	if err != nil {
		t.Fatal(err)
	}
	ann, bob := awsapi.Credentials{AccessKeyID: "AKIAANN", SecretAccessKey: "s1"}, awsapi.Credentials{AccessKeyID: "AKIABOB", SecretAccessKey: "s2"}
	if got := statusOf(t, addr, "apigateway", bob, "POST", "/v2/apis", createAPI); !strings.HasPrefix(got, "403 AccessDenied") {
		t.Errorf("got %s", got)
	}
	if got := statusOf(t, addr, "apigateway", ann, "POST", "/v2/apis", createAPI); !strings.HasPrefix(got, "201 ") {
		t.Errorf("got %s", got)
	}
	c := (&served{admin: addr}).iam(ann)
	if _, err := c.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("Bob")}); err == nil || !strings.Contains(err.Error(), "EntityAlreadyExists") {
		t.Errorf("got %v", err)
	}
	if _, err := c.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("zoe")}); err != nil {
		t.Error(err)
	}
	// A user of cleat.yaml with the name of one of the store is a fault; what was there stays.
	r.write(t, "cleat.yaml", strings.Replace(everything, "  bob:", "  zoe:", 1))
	if err := <-r.faults; err == nil || !strings.Contains(err.Error(), "cleat.yaml:6") || !strings.Contains(err.Error(), "zoe") {
		t.Errorf("got %v", err)
	}
	if got := statusOf(t, addr, "apigateway", bob, "POST", "/v2/apis", createAPI); !strings.HasPrefix(got, "403 AccessDenied") {
		t.Errorf("got %s", got)
	}
}

// What a node was told of users outlives it, and so does what it was not told: without the right sealing key it does not
// start, and nothing is lost by the attempt.
func TestServeKeepsUsers(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, func(o *server.ServeOptions) { o.DataDir = dir })
	admin := s.key
	bob := s.newUser(t, "bob", allowPush)
	s.stop()

	seal := filepath.Join(dir, "seal.key")
	kept, err := os.ReadFile(seal)
	if err != nil {
		t.Fatal(err)
	}
	seen := false
	err = filepath.WalkDir(filepath.Join(dir, "store"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		seen = seen || bytes.Contains(text, []byte(bob.AccessKeyID))
		if bytes.Contains(text, []byte(admin.SecretAccessKey)) || bytes.Contains(text, []byte(bob.SecretAccessKey)) {
			t.Errorf("a secret lies in the open in %s", path)
		}
		return err
	})
	if err != nil || !seen {
		t.Errorf("found no keys in the store, %v", err)
	}
	attempt := func(what, want string, access access.Options) {
		t.Helper()
		access.ShowFirstKey = func(awsapi.Credentials) error { t.Errorf("%s: a key was made", what); return nil }
		err := server.RunServe(t.Context(), server.ServeOptions{DataDir: dir, Overrides: listening("127.0.0.1:0"), Access: access})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", what, err, want)
		}
	}
	if err := os.Rename(seal, seal+".away"); err != nil {
		t.Fatal(err)
	}
	attempt("no sealing key", "seal.key is not there, and without it the 2 secrets in the store cannot be opened", access.Options{})
	attempt("another sealing key", "the sealing key does not open the secret of access key "+admin.AccessKeyID, access.Options{SealKey: "cleat-seal-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="})
	if _, err := os.Stat(seal); err == nil {
		t.Error("a sealing key was made in the place of one that is missing")
	}

	// The key may lie elsewhere.
	s = serve(t, func(o *server.ServeOptions) { o.DataDir, o.Access.SealKeyFile = dir, seal+".away" })
	if s.key.AccessKeyID != "" {
		t.Error("a second administrator was made")
	}
	if got := statusOf(t, s.public, "execute-api", bob, "GET", "/@connections", ""); !strings.HasPrefix(got, "200 ") {
		t.Errorf("after a restart: got %s", got)
	}
	s.stop()
	s = serve(t, func(o *server.ServeOptions) { o.DataDir, o.Access.SealKey = dir, string(kept) })
	if got := statusOf(t, s.admin, "apigateway", admin, "POST", "/v2/apis", createAPI); !strings.HasPrefix(got, "201 ") {
		t.Errorf("with the key as a text: got %s", got)
	}
}

// The way back in: for who has lost all access keys, and for who has lost the sealing key too.
func TestResetAdmin(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, func(o *server.ServeOptions) { o.DataDir = dir })
	bob := s.newUser(t, "bob", allowPush)
	var key awsapi.Credentials
	reset := func(discard bool) error {
		return access.ResetAdmin(t.Context(), access.ResetOptions{
			DataDir: dir, Log: slog.New(slog.DiscardHandler), DiscardKeys: discard,
			Access: access.Options{ShowFirstKey: func(c awsapi.Credentials) error { key = c; return nil }},
		})
	}
	if err := reset(false); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("while the node runs: got %v", err)
	}
	s.stop()
	works := func(what string, c awsapi.Credentials, want string) {
		t.Helper()
		if got := statusOf(t, s.public, "execute-api", c, "GET", "/@connections", ""); !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s", what, got)
		}
	}

	if err := reset(false); err != nil {
		t.Fatal(err)
	}
	first := s.key
	s = serve(t, func(o *server.ServeOptions) { o.DataDir = dir })
	works("the lost key", first, "403 UnrecognizedClient")
	works("the new key", key, "200 ")
	works("another user's", bob, "200 ")
	s.stop()

	if err := os.Remove(filepath.Join(dir, "seal.key")); err != nil {
		t.Fatal(err)
	}
	if err := reset(false); err == nil || !strings.Contains(err.Error(), "seal.key") {
		t.Errorf("without the sealing key: got %v", err)
	}
	if err := reset(true); err != nil {
		t.Fatal(err)
	}
	s = serve(t, func(o *server.ServeOptions) { o.DataDir = dir })
	works("the key after discarding", key, "200 ")
	works("another user's after discarding", bob, "403 UnrecognizedClient")
	s.stop()
	told := map[string]int{}
	for _, l := range auditLines(t, dir) {
		if user, _ := l["user"].(string); strings.HasPrefix(user, "local:") {
			told[fmt.Sprint(l["operation"])]++
		}
	}
	if told["FirstAdmin"] != 1 || told["ResetAdmin"] != 2 || told["DiscardKeys"] != 1 {
		t.Errorf("the audit log tells of %v", told)
	}
	if err := access.ResetAdmin(t.Context(), access.ResetOptions{DataDir: t.TempDir(), Log: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("an empty folder is taken for a data directory")
	}
}

// A line that cannot be written is told of, and counted.
func TestAuditFailureIsVisible(t *testing.T) {
	var log testkit.Log
	s := serve(t, func(o *server.ServeOptions) {
		o.NewLog = logTo(slog.New(slog.NewTextHandler(&log, nil)))
		o.Access.Audit, o.Access.Std = "stdout", map[string]io.Writer{"stdout": brokenWriter{}}
	})
	if got := statusOf(t, s.admin, "apigateway", s.key, "POST", "/v2/apis", createAPI); !strings.HasPrefix(got, "201 ") {
		t.Errorf("got %s", got)
	}
	res := signedCall(t, s.admin, "cleat", awsapi.Credentials{}, "GET", "/metrics", "")
	defer res.Body.Close()
	metrics, err := io.ReadAll(res.Body)
	if err != nil || !bytes.Contains(metrics, []byte("\ncleat_audit_failures_total 2\n")) || !strings.Contains(log.String(), "a line of the audit log could not be written") {
		t.Errorf("got %v, %s\n%s", err, metrics, log.String())
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// Who is not known cannot push out of the audit log what matters.
func TestAuditOfNobodyIsBounded(t *testing.T) {
	s := serve(t, nil)
	for range 150 {
		if got := statusOf(t, s.admin, "", awsapi.Credentials{}, "DELETE", "/v2/apis/"+strings.Repeat("a", 1000), ""); !strings.HasPrefix(got, "403 ") {
			t.Fatalf("got %s", got)
		}
	}
	if got := statusOf(t, s.admin, "apigateway", s.key, "POST", "/v2/apis", createAPI); !strings.HasPrefix(got, "201 ") {
		t.Errorf("got %s", got)
	}
	lines := auditLines(t, s.dir)
	if first := fmt.Sprint(lines[1]["resource"]); len(first) > 300 { // after the one of the first key
		t.Errorf("a line has a resource of %d bytes", len(first))
	}
	last := lines[len(lines)-1]
	if skipped, _ := last["skipped"].(float64); last["operation"] != "CreateApi" || int(skipped)+len(lines) < 150 || len(lines) > 140 {
		t.Errorf("%d lines, the last %v", len(lines), last)
	}
}

// Functions of a node that asks for signatures can push, with credentials of their own: those of the administrator may be in
// the node's environment and are not for them.
func TestServeFunctionsSign(t *testing.T) {
	const code = `exports.ask = async () => ({ statusCode: 200, body: JSON.stringify({
	  AccessKeyID: process.env.AWS_ACCESS_KEY_ID, SecretAccessKey: process.env.AWS_SECRET_ACCESS_KEY, SessionToken: process.env.AWS_SESSION_TOKEN }) });
exports.bye = async () => ({});`
	folder, data := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{"serverless.yml": serverlessYML, "h.js": code} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first := serve(t, func(o *server.ServeOptions) { o.DataDir = data })
	first.stop()
	p, err := project.Load(folder, project.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := natskv.Open(t.Context(), natskv.Options{Dir: filepath.Join(data, "store")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = stacks.New(store.New(d), stacks.Options{}).Apply(t.Context(), stacks.Stack{Name: p.Name, Template: p.Template, Region: p.Region, Account: awsapi.DefaultAccount})
	if err := errors.Join(err, d.Close()); err != nil {
		t.Fatal(err)
	}

	s := serve(t, func(o *server.ServeOptions) {
		o.DataDir = data
		o.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+first.key.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+first.key.SecretAccessKey)
	})
	var ws *websocket.Conn
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		var err error
		if ws, _, err = websocket.DefaultDialer.DialContext(t.Context(), "ws://"+s.public.String()+"/dev", nil); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	defer ws.Close()
	var c awsapi.Credentials
	if err := json.Unmarshal([]byte(ask(t, ws, `{"action":"ask"}`)), &c); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(c.AccessKeyID, "ASIA") || c.SessionToken == "" {
		t.Errorf("functions sign with %v", c)
	}
	if got := statusOf(t, s.public, "execute-api", c, "GET", "/@connections", ""); !strings.HasPrefix(got, "200 ") {
		t.Errorf("a function's call: got %s", got)
	}
	if got := statusOf(t, s.admin, "apigateway", c, "POST", "/v2/apis", createAPI); !strings.HasPrefix(got, "403 AccessDenied") {
		t.Errorf("a function on the control plane: got %s", got)
	}
	if got := statusOf(t, s.admin, "lambda", c, "POST", "/2015-03-31/functions/demo-dev-bye/invocations", "{}"); !strings.HasPrefix(got, "200 ") {
		t.Errorf("a function that calls another: got %s", got)
	}
}

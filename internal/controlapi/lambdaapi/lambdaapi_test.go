package lambdaapi_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/codestore"
	"cleat/internal/control/functions"
	"cleat/internal/controlapi"
	"cleat/internal/controlapi/lambdaapi"
	"cleat/internal/store"
	"cleat/internal/store/memory"
	"cleat/internal/testkit"
)

// invoker answers every call alike and keeps the last.
type invoker struct {
	call   awsapi.Invocation
	result awsapi.InvocationResult
	err    error
}

func (i *invoker) Invoke(_ context.Context, call awsapi.Invocation) (awsapi.InvocationResult, error) {
	i.call = call
	return i.result, i.err
}

// world is a control plane with Lambda's API and nothing else.
type world struct {
	store   *store.Store
	code    *codestore.Store
	invoker *invoker
	handler *controlapi.Handler
	audited []controlapi.Entry
	url     string
	client  *sdk.Client
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{store: store.New(memory.New()), invoker: &invoker{}}
	var err error
	if w.code, err = codestore.Open(tb.TempDir(), codestore.Options{}); err != nil {
		tb.Fatal(err)
	}
	w.handler = controlapi.New(controlapi.Options{
		Log: slog.New(slog.DiscardHandler), Region: "eu-west-1",
		Audit: func(e controlapi.Entry) { w.audited = append(w.audited, e) },
		Services: []controlapi.Service{
			lambdaapi.Service(lambdaapi.Options{Functions: functions.New(w.store, nil), Code: w.code, Invoker: w.invoker}),
			lambdaapi.CodeService(w.code),
		},
	})
	s := httptest.NewServer(w.handler)
	tb.Cleanup(s.Close)
	w.url = s.URL
	w.client = sdk.New(sdk.Options{
		Region: "eu-west-1", BaseEndpoint: &s.URL, RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "s"}, nil
		}),
	})
	return w
}

// answer is what a request was answered with.
type answer struct {
	status int
	header http.Header
	body   string
}

func (w *world) do(tb testing.TB, method, path, body string) answer {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		tb.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}

// errorType is what SDKs make an error of.
func (a answer) errorType() string { return a.header.Get("x-amzn-ErrorType") }

func zipOf(tb testing.TB, text string) []byte {
	tb.Helper()
	return testkit.Zip(tb, testkit.ZipFile{Name: "index.js", Text: text})
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// createBody is a request that makes a function; more are members beside the required ones.
func createBody(tb testing.TB, name string, more map[string]any) string {
	tb.Helper()
	in := map[string]any{
		"FunctionName": name, "Runtime": "nodejs22.x", "Handler": "index.handler", "Role": "arn:aws:iam::123456789012:role/r",
		"Code": map[string]any{"ZipFile": zipOf(tb, "one")},
	}
	for k, v := range more {
		if in[k] = v; v == nil {
			delete(in, k)
		}
	}
	b, err := json.Marshal(in)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

func (w *world) create(tb testing.TB, name string, more map[string]any) answer {
	tb.Helper()
	a := w.do(tb, "POST", "/2015-03-31/functions", createBody(tb, name, more))
	if a.status != http.StatusCreated {
		tb.Fatalf("create %s: got %d %s", name, a.status, a.body)
	}
	return a
}

// compact is a JSON text with members in order, without those whose values differ from run to run.
func compact(tb testing.TB, text string) string {
	tb.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	for _, name := range []string{"LastModified", "RevisionId", "CodeSha256"} {
		if v[name] == "" {
			tb.Errorf("%s is empty: %s", name, text)
		}
		delete(v, name)
	}
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// What is written is read again with AWS's defaults, so that no plan of Terraform's ever shows a difference.
func TestRoundTrip(t *testing.T) {
	w := newWorld(t)
	a := w.create(t, "plain", nil)
	size := len(zipOf(t, "one"))
	want := `{"Architectures":["x86_64"],"CodeSize":` + itoa(size) + `,"Description":"","EphemeralStorage":{"Size":512},"FunctionArn":"arn:aws:lambda:eu-west-1:123456789012:function:plain","FunctionName":"plain","Handler":"index.handler","LastUpdateStatus":"Successful","LoggingConfig":{"LogFormat":"Text","LogGroup":"/aws/lambda/plain"},"MemorySize":128,"PackageType":"Zip","Role":"arn:aws:iam::123456789012:role/r","Runtime":"nodejs22.x","SnapStart":{"ApplyOn":"None","OptimizationStatus":"Off"},"State":"Active","Timeout":3,"TracingConfig":{"Mode":"PassThrough"},"Version":"$LATEST"}`
	if got := compact(t, a.body); got != want {
		t.Errorf("defaults: got\n%s\nwant\n%s", got, want)
	}
	if got := w.do(t, "GET", "/2015-03-31/functions/plain/configuration", ""); got.body != a.body {
		t.Errorf("read again: got\n%s\nwant\n%s", got.body, a.body)
	}
	var sum struct{ CodeSha256 string }
	if err := json.Unmarshal([]byte(a.body), &sum); err != nil {
		t.Fatal(err)
	}
	if b, err := base64.StdEncoding.DecodeString(sum.CodeSha256); err != nil || hex.EncodeToString(b) != hash(zipOf(t, "one")) {
		t.Errorf("CodeSha256: got %s, %v", sum.CodeSha256, err)
	}

	a = w.create(t, "full", map[string]any{
		"Architectures": []string{"arm64"}, "Description": "d", "Timeout": 9, "MemorySize": 512, "Tags": map[string]string{"a": "b"},
		"Environment": map[string]any{"Variables": map[string]string{"K": "v"}}, "DeadLetterConfig": map[string]string{"TargetArn": "arn:q"},
		"EphemeralStorage": map[string]int{"Size": 1024}, "FileSystemConfigs": []map[string]string{{"Arn": "arn:fs", "LocalMountPath": "/mnt/x"}},
		"KMSKeyArn": "arn:k", "Layers": []string{"arn:l:1"}, "LoggingConfig": map[string]string{"LogFormat": "JSON"},
		"SnapStart": map[string]string{"ApplyOn": "PublishedVersions"}, "TracingConfig": map[string]string{"Mode": "Active"},
		"VpcConfig": map[string]any{"SubnetIds": []string{"s"}, "SecurityGroupIds": []string{"g"}},
	})
	want = `{"Architectures":["arm64"],"CodeSize":` + itoa(size) + `,"DeadLetterConfig":{"TargetArn":"arn:q"},"Description":"d","Environment":{"Variables":{"K":"v"}},"EphemeralStorage":{"Size":1024},"FileSystemConfigs":[{"Arn":"arn:fs","LocalMountPath":"/mnt/x"}],"FunctionArn":"arn:aws:lambda:eu-west-1:123456789012:function:full","FunctionName":"full","Handler":"index.handler","KMSKeyArn":"arn:k","LastUpdateStatus":"Successful","Layers":[{"Arn":"arn:l:1","CodeSize":0}],"LoggingConfig":{"ApplicationLogLevel":"INFO","LogFormat":"JSON","LogGroup":"/aws/lambda/full","SystemLogLevel":"INFO"},"MemorySize":512,"PackageType":"Zip","Role":"arn:aws:iam::123456789012:role/r","Runtime":"nodejs22.x","SnapStart":{"ApplyOn":"PublishedVersions","OptimizationStatus":"Off"},"State":"Active","Timeout":9,"TracingConfig":{"Mode":"Active"},"Version":"$LATEST","VpcConfig":{"Ipv6AllowedForDualStack":false,"SecurityGroupIds":["g"],"SubnetIds":["s"],"VpcId":""}}`
	if got := compact(t, a.body); got != want {
		t.Errorf("all settings: got\n%s\nwant\n%s", got, want)
	}
	// As Terraform takes settings away again.
	w.do(t, "PUT", "/2015-03-31/functions/full/configuration", `{"DeadLetterConfig":{"TargetArn":""},"Environment":{"Variables":{}},"FileSystemConfigs":[],"KMSKeyArn":"","Layers":[],"VpcConfig":{"SubnetIds":[],"SecurityGroupIds":[],"Ipv6AllowedForDualStack":false},"SnapStart":{"ApplyOn":"None"},"LoggingConfig":{"LogFormat":"Text"},"TracingConfig":{"Mode":"PassThrough"},"EphemeralStorage":{"Size":512},"Description":"","Timeout":3,"MemorySize":128}`)
	w.do(t, "PUT", "/2015-03-31/functions/full/code", `{"Architectures":["x86_64"],"ZipFile":"`+base64.StdEncoding.EncodeToString(zipOf(t, "one"))+`"}`)
	got := compact(t, w.do(t, "GET", "/2015-03-31/functions/full/configuration", "").body)
	if want := strings.ReplaceAll(compact(t, w.do(t, "GET", "/2015-03-31/functions/plain/configuration", "").body), "plain", "full"); got != want {
		t.Errorf("taken away again: got\n%s\nwant\n%s", got, want)
	}
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

// A function by the official SDK, from CreateFunction to DeleteFunction, in the order of Terraform's calls.
func TestSDK(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	name := aws.String("chat")
	created, err := w.client.CreateFunction(ctx, &sdk.CreateFunctionInput{
		FunctionName: name, Handler: aws.String("index.handler"), Runtime: "nodejs22.x", Role: aws.String("arn:r"), Publish: true,
		Code: codeOf(zipOf(t, "one")), Tags: map[string]string{"a": "1", "b": "2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if *created.Version != "1" || *created.FunctionArn != "arn:aws:lambda:eu-west-1:123456789012:function:chat:1" {
		t.Errorf("created: got version %s, %s", *created.Version, *created.FunctionArn)
	}
	if err := sdk.NewFunctionActiveV2Waiter(w.client).Wait(ctx, &sdk.GetFunctionInput{FunctionName: name}, 1e9); err != nil {
		t.Error(err)
	}
	got, err := w.client.GetFunction(ctx, &sdk.GetFunctionInput{FunctionName: name})
	if err != nil || *got.Configuration.Version != "$LATEST" || got.Tags["b"] != "2" || got.Concurrency != nil || *got.Code.Location == "" {
		t.Fatalf("got %+v, %v", got, err)
	}
	versions, err := w.client.ListVersionsByFunction(ctx, &sdk.ListVersionsByFunctionInput{FunctionName: name})
	if err != nil || len(versions.Versions) != 2 || *versions.Versions[0].FunctionArn != "arn:aws:lambda:eu-west-1:123456789012:function:chat:$LATEST" || *versions.Versions[1].Version != "1" {
		t.Errorf("versions: got %+v, %v", versions, err)
	}
	if s, err := w.client.GetFunctionCodeSigningConfig(ctx, &sdk.GetFunctionCodeSigningConfigInput{FunctionName: name}); err != nil || s.CodeSigningConfigArn != nil {
		t.Errorf("code signing: got %+v, %v", s, err)
	}
	if r, err := w.client.GetRuntimeManagementConfig(ctx, &sdk.GetRuntimeManagementConfigInput{FunctionName: name}); err != nil || r.UpdateRuntimeOn != "Auto" {
		t.Errorf("runtime management: got %+v, %v", r, err)
	}
	updated, err := w.client.UpdateFunctionCode(ctx, &sdk.UpdateFunctionCodeInput{FunctionName: name, ZipFile: zipOf(t, "two"), RevisionId: got.Configuration.RevisionId})
	if err != nil || *updated.CodeSha256 == *got.Configuration.CodeSha256 || *updated.RevisionId == *got.Configuration.RevisionId {
		t.Errorf("updated: got %+v, %v", updated, err)
	}
	if v, err := w.client.GetFunctionConfiguration(ctx, &sdk.GetFunctionConfigurationInput{FunctionName: name, Qualifier: aws.String("1")}); err != nil || *v.CodeSha256 != *created.CodeSha256 {
		t.Errorf("a version has changed: got %+v, %v", v, err)
	}
	if p, err := w.client.PutFunctionConcurrency(ctx, &sdk.PutFunctionConcurrencyInput{FunctionName: name, ReservedConcurrentExecutions: aws.Int32(0)}); err != nil || *p.ReservedConcurrentExecutions != 0 {
		t.Errorf("concurrency: got %+v, %v", p, err)
	}
	if c, err := w.client.GetFunctionConcurrency(ctx, &sdk.GetFunctionConcurrencyInput{FunctionName: name}); err != nil || c.ReservedConcurrentExecutions == nil || *c.ReservedConcurrentExecutions != 0 {
		t.Errorf("concurrency: got %+v, %v", c, err)
	}
	if _, err := w.client.DeleteFunctionConcurrency(ctx, &sdk.DeleteFunctionConcurrencyInput{FunctionName: name}); err != nil {
		t.Error(err)
	}
	if c, err := w.client.GetFunctionConcurrency(ctx, &sdk.GetFunctionConcurrencyInput{FunctionName: name}); err != nil || c.ReservedConcurrentExecutions != nil {
		t.Errorf("no concurrency: got %+v, %v", c, err)
	}
	arn := got.Configuration.FunctionArn
	if _, err := w.client.UntagResource(ctx, &sdk.UntagResourceInput{Resource: arn, TagKeys: []string{"a"}}); err != nil {
		t.Error(err)
	}
	if _, err := w.client.TagResource(ctx, &sdk.TagResourceInput{Resource: arn, Tags: map[string]string{"c": "3"}}); err != nil {
		t.Error(err)
	}
	if tags, err := w.client.ListTags(ctx, &sdk.ListTagsInput{Resource: arn}); err != nil || len(tags.Tags) != 2 || tags.Tags["c"] != "3" {
		t.Errorf("tags: got %+v, %v", tags, err)
	}
	if a, err := w.client.GetAccountSettings(ctx, &sdk.GetAccountSettingsInput{}); err != nil || a.AccountUsage.FunctionCount != 1 || a.AccountUsage.TotalCodeSize == 0 {
		t.Errorf("account: got %+v, %v", a, err)
	}
	if _, err := w.client.DeleteFunction(ctx, &sdk.DeleteFunctionInput{FunctionName: arn}); err != nil {
		t.Error(err)
	}
	if trees, _, err := w.store.FunctionTrees(ctx); err != nil || len(trees) > 0 {
		t.Errorf("after DeleteFunction: got %+v, %v", trees, err)
	}
}

// Every name that Lambda takes for a function is taken, in the path as SDKs write it (spec lambda §1).
func TestNames(t *testing.T) {
	w := newWorld(t)
	w.create(t, "f", map[string]any{"Publish": true})
	const arn = "arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Af"
	for name, tt := range map[string]struct {
		path    string
		version string // empty: refused
	}{
		"name":                       {"f", "$LATEST"},
		"name and version":           {"f%3A1", "1"},
		"name and $LATEST":           {"f:$LATEST", "$LATEST"},
		"partial ARN":                {"123456789012%3Afunction%3Af", "$LATEST"},
		"ARN":                        {arn, "$LATEST"},
		"ARN and version":            {arn + "%3A1", "1"},
		"qualifier in the query":     {arn + "?Qualifier=1", "1"},
		"the same qualifier twice":   {"f:1?Qualifier=1", "1"},
		"two qualifiers":             {"f:1?Qualifier=2", ""},
		"no such version":            {"f:2", ""},
		"no such function":           {"g", ""},
		"no name at all":             {"a%20b", ""},
		"another account's function": {"999999999999%3Afunction%3Af", "$LATEST"},
	} {
		path, query, _ := strings.Cut(tt.path, "?")
		a := w.do(t, "GET", "/2015-03-31/functions/"+path+"/configuration?"+query, "")
		var got struct{ Version string }
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || got.Version != tt.version {
			t.Errorf("%s: got %d %s, want version %q", name, a.status, a.body, tt.version)
		}
	}
}

// Errors have Lambda's shape and types (spec lambda §1).
func TestErrors(t *testing.T) {
	w := newWorld(t)
	w.create(t, "f", map[string]any{"Publish": true})
	w.do(t, "POST", "/2015-03-31/functions/f/aliases", `{"Name":"live","FunctionVersion":"1"}`)
	const functions = "/2015-03-31/functions"
	for name, tt := range map[string]struct {
		method, path, body string
		status             int
		errorType, message string
	}{
		"unknown function":     {"GET", functions + "/nope", "", 404, "ResourceNotFoundException", "Function not found: arn:aws:lambda:eu-west-1:123456789012:function:nope"},
		"the name is taken":    {"POST", functions, createBody(t, "f", nil), 409, "ResourceConflictException", "Function already exist: f"},
		"no JSON":              {"POST", functions, "{", 400, "InvalidParameterValueException", "not a JSON object"},
		"another type":         {"POST", functions, `{"Timeout":"3"}`, 400, "InvalidParameterValueException", "Timeout must not be a JSON string"},
		"no name":              {"POST", functions, `{}`, 400, "InvalidParameterValueException", "is not a Lambda function name"},
		"no role":              {"POST", functions, createBody(t, "g", map[string]any{"Role": nil}), 400, "InvalidParameterValueException", "Role is required"},
		"no handler":           {"POST", functions, createBody(t, "g", map[string]any{"Handler": nil}), 400, "InvalidParameterValueException", "Handler is required"},
		"no time":              {"POST", functions, createBody(t, "g", map[string]any{"Timeout": 0}), 400, "InvalidParameterValueException", "Timeout must be from 1 to 900"},
		"no memory":            {"POST", functions, createBody(t, "g", map[string]any{"MemorySize": 0}), 400, "InvalidParameterValueException", "MemorySize must be from 128"},
		"a reserved variable":  {"POST", functions, createBody(t, "g", map[string]any{"Environment": map[string]any{"Variables": map[string]string{"AWS_REGION": "x"}}}), 400, "InvalidParameterValueException", "reserved keys that are currently not supported for modification. Reserved keys used in this request: AWS_REGION"},
		"much environment":     {"POST", functions, createBody(t, "g", map[string]any{"Environment": map[string]any{"Variables": map[string]string{"X": strings.Repeat("x", 4096)}}}), 400, "InvalidParameterValueException", "4KB limit"},
		"an odd setting":       {"POST", functions, createBody(t, "g", map[string]any{"VpcConfig": "x"}), 400, "InvalidParameterValueException", "VpcConfig"},
		"no code":              {"POST", functions, createBody(t, "g", map[string]any{"Code": nil}), 400, "InvalidParameterValueException", "Please provide a source for function code."},
		"no zip file":          {"POST", functions, createBody(t, "g", map[string]any{"Code": map[string]string{"ZipFile": "aGVsbG8="}}), 400, "InvalidParameterValueException", "Could not unzip uploaded file"},
		"S3":                   {"POST", functions, createBody(t, "g", map[string]any{"Code": map[string]string{"S3Bucket": "b", "S3Key": "k"}}), 400, "InvalidParameterValueException", "--zip-file fileb://"},
		"no such folder":       {"POST", functions, createBody(t, "g", map[string]any{"Code": map[string]string{"S3Bucket": "local", "S3Key": "/no/such"}}), 400, "InvalidParameterValueException", "no such folder"},
		"an image":             {"POST", functions, createBody(t, "g", map[string]any{"Code": map[string]string{"ImageUri": "i"}}), 400, "InvalidParameterValueException", "remoteFunctions"},
		"an old revision":      {"PUT", functions + "/f/configuration", `{"RevisionId":"x","Timeout":5}`, 412, "PreconditionFailedException", "does not match the latest Revision Id"},
		"change of a version":  {"PUT", functions + "/f:1/configuration", `{"Timeout":5}`, 400, "InvalidParameterValueException", "Aliases and versions do not support this operation"},
		"policy without":       {"GET", functions + "/f/policy", "", 404, "ResourceNotFoundException", "The resource you requested does not exist."},
		"permission unnamed":   {"POST", functions + "/f/policy", `{"Action":"lambda:InvokeFunction","Principal":"*"}`, 400, "InvalidParameterValueException", "StatementId"},
		"permission, no act":   {"POST", functions + "/f/policy", `{"StatementId":"s","Action":"s3:Get","Principal":"*"}`, 400, "InvalidParameterValueException", "an action of Lambda"},
		"no such statement":    {"DELETE", functions + "/f/policy/s", "", 404, "ResourceNotFoundException", "Statement s is not found"},
		"alias to nothing":     {"POST", functions + "/f/aliases", `{"Name":"a","FunctionVersion":"7"}`, 404, "ResourceNotFoundException", "function:f:7"},
		"alias like a version": {"POST", functions + "/f/aliases", `{"Name":"7","FunctionVersion":"1"}`, 400, "InvalidParameterValueException", "Alias name"},
		"alias of two names":   {"POST", functions + "/f/aliases", `{"Name":"live","FunctionVersion":"1"}`, 409, "ResourceConflictException", "Alias already exists"},
		"alias shared oddly":   {"PUT", functions + "/f/aliases/live", `{"RoutingConfig":{"AdditionalVersionWeights":{"1":0.5}}}`, 400, "InvalidParameterValueException", "already included"},
		"no such alias":        {"GET", functions + "/f/aliases/dev", "", 404, "ResourceNotFoundException", "Cannot find alias arn"},
		"a version in use":     {"DELETE", functions + "/f?Qualifier=1", "", 409, "ResourceConflictException", "the alias live points at it"},
		"$LATEST alone":        {"DELETE", functions + "/f?Qualifier=$LATEST", "", 400, "InvalidParameterValueException", "cannot be deleted"},
		"no event invoke":      {"GET", "/2019-09-25/functions/f/event-invoke-config", "", 404, "ResourceNotFoundException", "EventInvokeConfig"},
		"MaxItems":             {"GET", functions + "?MaxItems=0", "", 400, "InvalidParameterValueException", "MaxItems"},
		"Marker":               {"GET", functions + "?Marker=x", "", 400, "InvalidParameterValueException", "Marker"},
		"an odd invocation":    {"POST", functions + "/a%20b/invocations", "", 400, "InvalidParameterValueException", "is not a Lambda function name"},
		"a large event":        {"POST", functions + "/f/invocations", strings.Repeat(" ", 6<<20+1), 413, "RequestTooLargeException", "larger than"},
		"tags of a version":    {"GET", "/2017-03-31/tags/arn:aws:lambda:eu-west-1:123456789012:function:f:1", "", 400, "InvalidParameterValueException", "not supported"},
	} {
		a := w.do(t, tt.method, tt.path, tt.body)
		var body struct{ Type, Message string }
		if err := json.Unmarshal([]byte(a.body), &body); err != nil || a.status != tt.status || a.errorType() != tt.errorType || body.Type != "User" || !strings.Contains(body.Message, tt.message) {
			t.Errorf("%s: got %d %s %s, want %d %s with %q", name, a.status, a.errorType(), a.body, tt.status, tt.errorType, tt.message)
		}
	}
	if trees, _, err := w.store.FunctionTrees(t.Context()); err != nil || len(trees) != 1 {
		t.Errorf("the store holds %+v, %v", trees, err)
	}
}

// Versions are numbered on and never change; one is made only of what is new; aliases point at them.
func TestVersions(t *testing.T) {
	w := newWorld(t)
	w.create(t, "f", nil)
	publish := func(want string) {
		t.Helper()
		a := w.do(t, "POST", "/2015-03-31/functions/f/versions", `{"Description":"d`+want+`"}`)
		var got struct{ Version, Description string }
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 201 || got.Version != want || got.Description != "d"+want {
			t.Errorf("published: got %d %s, want version %s", a.status, a.body, want)
		}
	}
	publish("1")
	a := w.do(t, "POST", "/2015-03-31/functions/f/versions", `{"Description":"other"}`)
	if !strings.Contains(a.body, `"Version":"1"`) {
		t.Errorf("published again: got %s, want version 1", a.body)
	}
	w.do(t, "PUT", "/2015-03-31/functions/f/configuration", `{"Timeout":7}`)
	publish("2")
	if a := w.do(t, "DELETE", "/2015-03-31/functions/f?Qualifier=2", ""); a.status != 204 {
		t.Errorf("delete: got %d %s", a.status, a.body)
	}
	publish("3")
	if a := w.do(t, "GET", "/2015-03-31/functions/f:1/configuration", ""); !strings.Contains(a.body, `"Timeout":3`) {
		t.Errorf("version 1: got %s", a.body)
	}
	a = w.do(t, "POST", "/2015-03-31/functions/f/aliases", `{"Name":"live","FunctionVersion":"1","Description":"x","RoutingConfig":{"AdditionalVersionWeights":{"3":0.25}}}`)
	want := `{"AliasArn":"arn:aws:lambda:eu-west-1:123456789012:function:f:live","Description":"x","FunctionVersion":"1","Name":"live","RoutingConfig":{"AdditionalVersionWeights":{"3":0.25}}}`
	if got := compact(t, a.body); a.status != 201 || got != want {
		t.Errorf("alias: got %d %s, want %s", a.status, got, want)
	}
	if got := w.do(t, "GET", "/2015-03-31/functions/f/aliases/live", ""); got.body != a.body {
		t.Errorf("alias read again: got %s, want %s", got.body, a.body)
	}
	a = w.do(t, "PUT", "/2015-03-31/functions/f/aliases/live", `{"FunctionVersion":"3","RoutingConfig":{"AdditionalVersionWeights":{}}}`)
	if got, want := compact(t, a.body), `{"AliasArn":"arn:aws:lambda:eu-west-1:123456789012:function:f:live","Description":"x","FunctionVersion":"3","Name":"live"}`; got != want {
		t.Errorf("alias moved: got %s, want %s", got, want)
	}
	if a := w.do(t, "GET", "/2015-03-31/functions/f/configuration?Qualifier=live", ""); !strings.Contains(a.body, `"Timeout":7`) || !strings.Contains(a.body, `function:f:live"`) || !strings.Contains(a.body, `"Version":"3"`) {
		t.Errorf("by the alias: got %s", a.body)
	}
	if a := w.do(t, "GET", "/2015-03-31/functions/f/aliases?FunctionVersion=1", ""); a.body != `{"Aliases":[]}` {
		t.Errorf("aliases of version 1: got %s", a.body)
	}
	for range 2 { // deleting what is gone is no error
		if a := w.do(t, "DELETE", "/2015-03-31/functions/f/aliases/live", ""); a.status != 204 {
			t.Errorf("delete alias: got %d %s", a.status, a.body)
		}
	}
}

// Permissions are kept and shown in the words of a policy, by function and by qualifier.
func TestPermissions(t *testing.T) {
	w := newWorld(t)
	w.create(t, "f", map[string]any{"Publish": true})
	add := func(path, body, want string) {
		t.Helper()
		a := w.do(t, "POST", "/2015-03-31/functions/"+path, body)
		var got struct{ Statement string }
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 201 || got.Statement != want {
			t.Errorf("got %d %s\nwant %s", a.status, got.Statement, want)
		}
	}
	const arn = "arn:aws:lambda:eu-west-1:123456789012:function:f"
	first := `{"Sid":"api","Effect":"Allow","Principal":{"Service":"apigateway.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"` + arn + `","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:execute-api:eu-west-1:123456789012:abc/*/$connect"}}}`
	add("f/policy", `{"StatementId":"api","Action":"lambda:InvokeFunction","Principal":"apigateway.amazonaws.com","SourceArn":"arn:aws:execute-api:eu-west-1:123456789012:abc/*/$connect"}`, first)
	add("f/policy", `{"StatementId":"acct","Action":"lambda:InvokeFunction","Principal":"999999999999"}`,
		`{"Sid":"acct","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999999999999:root"},"Action":"lambda:InvokeFunction","Resource":"`+arn+`"}`)
	add("f/policy?Qualifier=1", `{"StatementId":"api","Action":"lambda:InvokeFunction","Principal":"*"}`,
		`{"Sid":"api","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"`+arn+`:1"}`)
	if a := w.do(t, "POST", "/2015-03-31/functions/f/policy", `{"StatementId":"api","Action":"lambda:InvokeFunction","Principal":"*"}`); a.errorType() != "ResourceConflictException" {
		t.Errorf("the same again: got %d %s", a.status, a.body)
	}
	w.do(t, "DELETE", "/2015-03-31/functions/f/policy/acct", "")
	var got struct{ Policy, RevisionID string }
	if err := json.Unmarshal([]byte(w.do(t, "GET", "/2015-03-31/functions/f/policy", "").body), &got); err != nil {
		t.Fatal(err)
	}
	if want := `{"Version":"2012-10-17","Id":"default","Statement":[` + first + `]}`; got.Policy != want {
		t.Errorf("policy: got\n%s\nwant\n%s", got.Policy, want)
	}
}

// Lists come in parts.
func TestPages(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"b", "a", "c"} {
		w.create(t, name, nil)
	}
	var names []string
	pages := sdk.NewListFunctionsPaginator(w.client, &sdk.ListFunctionsInput{MaxItems: aws.Int32(2)})
	n := 0
	for ; pages.HasMorePages(); n++ {
		p, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range p.Functions {
			names = append(names, *f.FunctionName)
		}
	}
	if strings.Join(names, "") != "abc" || n != 2 {
		t.Errorf("got %v in %d pages", names, n)
	}
}

// Invoke passes the call on and the result back (spec lambda §1).
func TestInvoke(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.invoker.result = awsapi.InvocationResult{Payload: []byte(`{"x":1}`), RequestID: "id-1", ExecutedVersion: "3", LogTail: []byte("log\n")}
	out, err := w.client.Invoke(ctx, &sdk.InvokeInput{
		FunctionName: aws.String("f"), Qualifier: aws.String("live"), Payload: []byte(`{"a":1}`), LogType: "Tail",
		ClientContext: aws.String(base64.StdEncoding.EncodeToString([]byte(`{"c":1}`))),
	})
	if err != nil {
		t.Fatal(err)
	}
	if string(out.Payload) != `{"x":1}` || out.StatusCode != 200 || out.FunctionError != nil || *out.ExecutedVersion != "3" || *out.LogResult != "bG9nCg==" {
		t.Errorf("got %+v", out)
	}
	if c := w.invoker.call; c.Function != "arn:aws:lambda:eu-west-1:123456789012:function:f:live" || c.Type != awsapi.InvokeRequestResponse || string(c.Payload) != `{"a":1}` || !c.LogTail || string(c.ClientContext) != `{"c":1}` {
		t.Errorf("the call was %+v", c)
	}
	w.invoker.result = awsapi.InvocationResult{Payload: []byte(`{"errorMessage":"m"}`), FunctionError: "Unhandled"}
	if out, err = w.client.Invoke(ctx, &sdk.InvokeInput{FunctionName: aws.String("f")}); err != nil || *out.FunctionError != "Unhandled" || string(out.Payload) != `{"errorMessage":"m"}` {
		t.Errorf("a failure: got %+v, %v", out, err)
	}
	for kind, status := range map[string]int32{"Event": 202, "DryRun": 204} {
		out, err := w.client.Invoke(ctx, &sdk.InvokeInput{FunctionName: aws.String("f"), InvocationType: invocationType(kind)})
		if err != nil || out.StatusCode != status || len(out.Payload) > 0 || string(w.invoker.call.Type) != kind {
			t.Errorf("%s: got %+v, %v", kind, out, err)
		}
	}
	w.invoker.err = &apigw.Error{Kind: apigw.KindFunctionConcurrency}
	if a := w.do(t, "POST", "/2015-03-31/functions/f/invocations", ""); a.status != 429 || a.errorType() != "TooManyRequestsException" {
		t.Errorf("throttled: got %d %s %s", a.status, a.errorType(), a.body)
	}
	w.invoker.err = io.ErrUnexpectedEOF
	if a := w.do(t, "POST", "/2015-03-31/functions/f/invocations", ""); a.status != 500 || a.errorType() != "ServiceException" || strings.Contains(a.body, "EOF") {
		t.Errorf("failed: got %d %s %s", a.status, a.errorType(), a.body)
	}
	if len(w.audited) > 0 {
		t.Errorf("audited: %+v", w.audited)
	}
}

// A folder of this machine is run where it is, by the bucket "local" or LocalStack's "hot-reload".
func TestFolder(t *testing.T) {
	w, dir := newWorld(t), t.TempDir()
	for name, bucket := range map[string]string{"a": "local", "b": "hot-reload"} {
		w.create(t, name, map[string]any{"Code": map[string]string{"S3Bucket": bucket, "S3Key": dir + string(filepath.Separator)}})
		tree, err := w.store.FunctionTree(t.Context(), name)
		if err != nil || tree.Function.CodeDir != filepath.Clean(dir) || tree.Function.CodeSHA256 != "" {
			t.Errorf("got %+v, %v", tree, err)
		}
	}
}

// UpdateFunctionCode with DryRun changes nothing; with Publish it makes a version.
func TestUpdateCode(t *testing.T) {
	w := newWorld(t)
	before := w.create(t, "f", nil).body
	body := func(more string) string {
		return `{"ZipFile":"` + base64.StdEncoding.EncodeToString(zipOf(t, "two")) + `"` + more + `}`
	}
	dry := w.do(t, "PUT", "/2015-03-31/functions/f/code", body(`,"DryRun":true`))
	if b, _ := hex.DecodeString(hash(zipOf(t, "two"))); dry.status != 200 || !strings.Contains(dry.body, base64.StdEncoding.EncodeToString(b)) {
		t.Errorf("dry run: got %d %s", dry.status, dry.body)
	}
	if got := w.do(t, "GET", "/2015-03-31/functions/f/configuration", ""); got.body != before {
		t.Errorf("after a dry run: got %s, want %s", got.body, before)
	}
	if a := w.do(t, "PUT", "/2015-03-31/functions/f/code", body(`,"Publish":true`)); !strings.Contains(a.body, `"Version":"1"`) || !strings.Contains(a.body, `function:f:1"`) {
		t.Errorf("published: got %d %s", a.status, a.body)
	}
	if len(w.audited) != 3 || w.audited[0].Operation != "CreateFunction" || w.audited[0].Resource != "arn:aws:lambda:eu-west-1:123456789012:function:f" {
		t.Errorf("audited: %+v", w.audited)
	}
}

// Code goes ahead of the template that names it, and is what its address says.
func TestPutCode(t *testing.T) {
	w := newWorld(t)
	b := zipOf(t, "one")
	path := "/_cleat/code/" + hash(b)
	if a := w.do(t, "HEAD", path, ""); a.status != 404 {
		t.Errorf("HEAD before: got %d", a.status)
	}
	for range 2 {
		a := w.do(t, "PUT", path, string(b))
		if want := `{"sha256":"` + hash(b) + `","size":` + itoa(len(b)) + `}`; a.status != 200 || a.body != want {
			t.Errorf("PUT: got %d %s, want %s", a.status, a.body, want)
		}
	}
	if a := w.do(t, "HEAD", path, ""); a.status != 200 {
		t.Errorf("HEAD: got %d", a.status)
	}
	for name, tt := range map[string]struct{ path, body string }{
		"another hash": {"/_cleat/code/" + hash(nil), string(b)},
		"no hash":      {"/_cleat/code/x", string(b)},
		"no zip file":  {"/_cleat/code/" + hash([]byte("x")), "x"},
	} {
		if a := w.do(t, "PUT", tt.path, tt.body); a.status != 400 {
			t.Errorf("%s: got %d %s", name, a.status, a.body)
		}
	}
	if e := w.audited[0]; e.Operation != "PutCode" || e.Service != "cleat" || e.Resource != "arn:aws:cleat:eu-west-1:123456789012:code/"+hash(b) {
		t.Errorf("audited: %+v", e)
	}
}

// FuzzRequest: whatever a request says, it is answered with a status below 500, and what is refused changes nothing.
func FuzzRequest(f *testing.F) {
	f.Add("POST", "/2015-03-31/functions", createBody(f, "g", nil))
	f.Add("PUT", "/2015-03-31/functions/f/configuration", `{"Layers":["a"],"VpcConfig":{"SubnetIds":["s"]},"LoggingConfig":{"LogFormat":"JSON"}}`)
	f.Add("POST", "/2015-03-31/functions/f/policy", `{"StatementId":"s","Action":"lambda:InvokeFunction","Principal":"123456789012","InvokedViaFunctionUrl":true}`)
	f.Add("POST", "/2015-03-31/functions/f/aliases", `{"Name":"a","FunctionVersion":"$LATEST","RoutingConfig":{"AdditionalVersionWeights":{"1":1e400}}}`)
	f.Add("GET", "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A1%3Afunction%3Af%3A$LATEST", "")
	w := newWorld(f)
	w.create(f, "f", map[string]any{"Publish": true})
	f.Fuzz(func(t *testing.T, method, path, body string) {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", strings.NewReader(body))
		u, err := r.URL.Parse(path)
		if err != nil || !strings.HasPrefix(u.Path, "/2") {
			return
		}
		r.Method, r.URL = method, u
		answer := httptest.NewRecorder()
		w.handler.ServeHTTP(answer, r)
		if answer.Code >= 500 {
			t.Errorf("%s %s: got %d %s", method, path, answer.Code, answer.Body)
		}
		if trees, _, err := w.store.FunctionTrees(t.Context()); err != nil {
			t.Errorf("the store holds %+v, %v", trees, err)
		}
	})
}

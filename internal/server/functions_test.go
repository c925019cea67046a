package server_test

import (
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"cleat/internal/awsapi"
	"cleat/internal/server"
	"cleat/internal/testkit"
)

// newLambdaClient is the official SDK, told where Lambda is here and nothing else.
func newLambdaClient(url string, key awsapi.Credentials) *lambda.Client {
	return lambda.New(lambda.Options{
		Region: "us-east-1", BaseEndpoint: &url, RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey}, nil
		}),
	})
}

const madeYML = `name: made
functions:
  caller: h.caller
routes:
  latest: { integration: { IntegrationType: AWS_PROXY, IntegrationUri: "%function:made/invocations" }, twoWay: true }
  live: { integration: { IntegrationType: AWS_PROXY, IntegrationUri: "%function:made:live/invocations" }, twoWay: true }
  first: { integration: { IntegrationType: AWS_PROXY, IntegrationUri: "%function:made:1/invocations" }, twoWay: true }
  call: { function: caller, twoWay: true }
`

const madeJS = `exports.handler = async (e, c) => { console.log('said'); return { body: 'WORD ' + c.functionVersion + ' ' + c.invokedFunctionArn.split(':function:')[1] }; };`

// What a function calls as SDKs do: at the endpoint that its environment names, with a signature of service lambda.
const callerJS = `exports.caller = async () => {
  const r = await fetch(process.env.AWS_ENDPOINT_URL_LAMBDA + '/2015-03-31/functions/made%3A1/invocations', { method: 'POST', body: '{}', headers: { Authorization: 'AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0' } });
  return { body: (await r.json()).body };
};`

// A function made by Lambda's API answers clients; its code, its versions and its aliases change under open connections,
// and a reload of the project leaves it alone.
func TestFunctionsMadeByAPI(t *testing.T) {
	yml := strings.ReplaceAll(madeYML, "%", "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:")
	r, ctx := start(t, map[string]string{"cleat.yaml": yml, "h.js": callerJS}), t.Context()
	client, name := newLambdaClient("http://"+r.info.Addr, awsapi.Credentials{AccessKeyID: "any", SecretAccessKey: "any"}), aws.String("made")
	ws := r.dial(t)
	says := func(route, want string) {
		t.Helper()
		if got := ask(t, ws, `{"action":"`+route+`"}`); got != want && !strings.HasPrefix(got, `{"message": "`+want+`"`) {
			t.Errorf("%s: got %s, want %s", route, got, want)
		}
	}
	code := func(word string) []byte {
		return testkit.Zip(t, testkit.ZipFile{Name: "index.js", Text: strings.ReplaceAll(madeJS, "WORD", word)})
	}
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	says("latest", "Internal server error")
	must(client.CreateFunction(ctx, &lambda.CreateFunctionInput{
		FunctionName: name, Runtime: "nodejs22.x", Handler: aws.String("index.handler"), Role: aws.String("arn:r"), Code: &types.FunctionCode{ZipFile: code("one")}, Publish: true,
	}))
	must(client.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: name, Name: aws.String("live"), FunctionVersion: aws.String("1")}))
	says("latest", "one $LATEST made")
	says("live", "one 1 made:live")
	says("first", "one 1 made:1")
	says("call", "one 1 made:1")

	must(client.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: name, ZipFile: code("two")}))
	says("latest", "two $LATEST made")
	says("live", "one 1 made:live")
	must(client.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: name}))
	must(client.UpdateAlias(ctx, &lambda.UpdateAliasInput{FunctionName: name, Name: aws.String("live"), FunctionVersion: aws.String("2")}))
	says("live", "two 2 made:live")
	says("first", "one 1 made:1")

	out, err := client.Invoke(ctx, &lambda.InvokeInput{FunctionName: name, Qualifier: aws.String("live"), LogType: "Tail"})
	must(out, err)
	log, err := base64.StdEncoding.DecodeString(*out.LogResult)
	if err != nil || *out.ExecutedVersion != "2" || !strings.Contains(string(log), "said") || !strings.Contains(string(log), "Version: 2") {
		t.Errorf("invoked: got %s, version %s, %q, %v", out.Payload, *out.ExecutedVersion, log, err)
	}

	r.write(t, "cleat.yaml", yml+"  more: { function: caller }\n")
	if re := <-r.reloaded; !re.Definitions {
		t.Error("the project was not read again")
	}
	says("latest", "two $LATEST made")
	must(client.DeleteAlias(ctx, &lambda.DeleteAliasInput{FunctionName: name, Name: aws.String("live")}))
	says("live", "Internal server error")
	must(client.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: name}))
	if _, err := client.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: name}); err == nil {
		t.Error("a deleted function is there")
	}
}

// A function's own endpoint for Lambda, or one for everything, comes before Cleat's.
func TestLambdaEndpoint(t *testing.T) {
	for name, tt := range map[string]struct{ settings, environment, want string }{
		"none":           {"", "A: b", "ours"},
		"the function's": {"", "AWS_ENDPOINT_URL_LAMBDA: http://own.test", "http://own.test"},
		"for all":        {"awsEndpoints: { '*': http://all.test }\n", "A: b", "undefined"},
		"the project's":  {"awsEndpoints: { lambda: http://project.test }\n", "A: b", "http://project.test"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, map[string]string{
				"cleat.yaml": "name: ends\n" + tt.settings + "routes: { env: { function: env, twoWay: true } }\nfunctions:\n  env: { handler: h.env, environment: { " + tt.environment + " } }\n",
				"h.js":       `exports.env = async () => ({ body: String(process.env.AWS_ENDPOINT_URL_LAMBDA) });`,
			})
			want := tt.want
			if want == "ours" {
				want = "http://127.0.0.1" + r.info.Addr[strings.LastIndexByte(r.info.Addr, ':'):]
			}
			if got := ask(t, r.dial(t), `{"action":"env"}`); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// A node for real use keeps code in its data directory, and runs it.
func TestServeFunctions(t *testing.T) {
	node := serve(t, func(o *server.ServeOptions) { o.Env = os.Environ() })
	client, name, ctx := newLambdaClient("http://"+node.admin.String(), node.key), aws.String("f"), t.Context()
	if _, err := client.CreateFunction(ctx, &lambda.CreateFunctionInput{
		FunctionName: name, Runtime: "nodejs22.x", Handler: aws.String("index.handler"), Role: aws.String("arn:r"),
		Code: &types.FunctionCode{ZipFile: testkit.Zip(t, testkit.ZipFile{Name: "index.js", Text: `exports.handler = async (e) => e.n + 1`})},
	}); err != nil {
		t.Fatal(err)
	}
	out, err := client.Invoke(ctx, &lambda.InvokeInput{FunctionName: name, Payload: []byte(`{"n":1}`)})
	if err != nil || string(out.Payload) != "2" {
		t.Errorf("got %+v, %v", out, err)
	}
	if kept, err := filepath.Glob(filepath.Join(node.dir, "code", "*.zip")); err != nil || len(kept) != 1 {
		t.Errorf("the data directory holds %v, %v", kept, err)
	}
}

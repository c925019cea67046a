//go:build unix

package lambda_test

import (
	"encoding/json"
	"testing"

	"cleat/internal/awsapi"
	"cleat/internal/lambda"
)

// Credentials of Cleat's take the place of all that an SDK would find, for workers that run already too, and are taken
// back again.
func TestSetCredentials(t *testing.T) {
	t.Parallel()
	f := node(write(t, map[string]string{"app.js": `exports.h = async () => process.env`}), "app.h")
	p := newTestPool(t, lambda.Options{Env: append(testEnv(), "AWS_PROFILE=p", "AWS_ACCESS_KEY_ID=AKIAOWN", "AWS_SECRET_ACCESS_KEY=own", "AWS_WEB_IDENTITY_TOKEN_FILE=/t")}, f)
	check := func(when string, want map[string]string) {
		t.Helper()
		var got map[string]string
		if err := json.Unmarshal([]byte(p.succeed(t, `{}`)), &got); err != nil {
			t.Fatal(err)
		}
		for name, value := range want {
			if got[name] != value {
				t.Errorf("%s: %s = %q, want %q", when, name, got[name], value)
			}
		}
	}
	own := map[string]string{"AWS_ACCESS_KEY_ID": "AKIAOWN", "AWS_SECRET_ACCESS_KEY": "own", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "p"}
	check("before", own)
	p.SetCredentials(awsapi.Credentials{AccessKeyID: "ASIA1", SecretAccessKey: "s", SessionToken: "t"})
	check("given", map[string]string{"AWS_ACCESS_KEY_ID": "ASIA1", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t", "AWS_PROFILE": "", "AWS_WEB_IDENTITY_TOKEN_FILE": ""})
	p.SetCredentials(awsapi.Credentials{AccessKeyID: "AKIA2", SecretAccessKey: "s"})
	check("others", map[string]string{"AWS_ACCESS_KEY_ID": "AKIA2", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": ""})
	p.SetCredentials(awsapi.Credentials{})
	check("taken back", own)
}

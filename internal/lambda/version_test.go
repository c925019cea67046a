//go:build unix

package lambda_test

import (
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/lambda"
)

const versioned = `exports.h = async (e, c) => [c.functionVersion, c.invokedFunctionArn, c.logStreamName]`

// A qualifier names a published version or an alias of one, and nothing else will do (spec lambda §1).
func TestVersions(t *testing.T) {
	t.Parallel()
	latest := node(write(t, map[string]string{"app.js": versioned}), "app.h")
	latest.Place, latest.ARN = "", "arn:aws:lambda:eu-west-1:123456789012:function:f"
	one, two := latest, latest
	one.Version, two.Version = "1", "2"
	project := latest
	project.Name, project.Place = "p", "serverless.yml:7"
	p := newTestPool(t, lambda.Options{})
	p.Swap([]apigw.Function{latest, one, two, project}, []apigw.FunctionAlias{
		{Function: "f", Name: "live", Version: "1"},
		{Function: "f", Name: "all", Version: "1", Weights: map[string]float64{"2": 1}},
		{Function: "f", Name: "newest", Version: apigw.VersionLatest},
		{Function: "f", Name: "lost", Version: "9"},
	})
	for function, want := range map[string]string{
		"f": "$LATEST", "f:$LATEST": "$LATEST", "f:1": "1", "f:2": "2", "f:live": "1", "f:all": "2", "f:newest": "$LATEST",
		"f:3": "", "f:dev": "", "f:lost": "", "g:1": "",
		"p": "$LATEST", "p:1": "$LATEST", "p:live": "$LATEST", // a project's
	} {
		out, err := p.Invoke(t.Context(), awsapi.Invocation{Function: function})
		if want == "" {
			if _, qualifier, _ := strings.Cut(function, ":"); apigw.KindOf(err) != apigw.KindFunctionNotFound || !strings.HasSuffix(err.Error(), ":"+qualifier) {
				t.Errorf("%s: got %s, %v, want that there is none", function, out.Payload, err)
			}
			continue
		}
		if err != nil || out.ExecutedVersion != want || !strings.Contains(string(out.Payload), `["`+want+`","`) || !strings.Contains(string(out.Payload), "["+want+"]") {
			t.Errorf("%s: got %s, version %s, %v, want %s", function, out.Payload, out.ExecutedVersion, err, want)
		}
		if _, qualifier, ok := strings.Cut(function, ":"); ok && !strings.Contains(string(out.Payload), ":"+qualifier+`"`) {
			t.Errorf("%s: its ARN is not in %s", function, out.Payload)
		}
	}
}

// An alias of two versions shares calls out between them.
func TestAliasWeights(t *testing.T) {
	t.Parallel()
	one := node(write(t, map[string]string{"app.js": versioned}), "app.h")
	two := one
	one.Version, two.Version = "1", "2"
	p := newTestPool(t, lambda.Options{})
	p.Swap([]apigw.Function{one, two}, []apigw.FunctionAlias{{Function: "f", Name: "live", Version: "1", Weights: map[string]float64{"2": 0.5}}})
	seen := map[string]int{}
	for range 100 {
		out, err := p.Invoke(t.Context(), awsapi.Invocation{Function: "f:live", Type: awsapi.InvokeDryRun})
		if err != nil {
			t.Fatal(err)
		}
		seen[out.ExecutedVersion]++
	}
	if seen["1"] < 20 || seen["2"] < 20 {
		t.Errorf("100 calls went to %v", seen)
	}
}

// A function with no concurrency refuses every call; what waits is run once it has some again.
func TestNoConcurrency(t *testing.T) {
	t.Parallel()
	f := node(write(t, map[string]string{"app.js": `exports.h = async () => 1`}), "app.h")
	f.Concurrency = apigw.NoConcurrency
	p := newTestPool(t, lambda.Options{}, f)
	if _, err := p.Invoke(t.Context(), awsapi.Invocation{Function: "f"}); apigw.KindOf(err) != apigw.KindFunctionConcurrency {
		t.Errorf("got %v, want KindFunctionConcurrency", err)
	}
	if _, err := p.Invoke(t.Context(), awsapi.Invocation{Function: "f", Type: awsapi.InvokeEvent}); err != nil {
		t.Error(err)
	}
	f.Concurrency = 1
	p.Swap([]apigw.Function{f}, nil)
	eventually(t, "the asynchronous call runs", func() bool { return p.starts() == 1 })
}

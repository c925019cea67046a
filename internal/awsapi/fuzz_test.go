package awsapi_test

import (
	"strings"
	"testing"

	"cleat/internal/awsapi"
)

// FuzzFunctionName reads names and integration URIs from templates and requests: what is read must be safe to put into a
// path, and must come back from what is built of it.
func FuzzFunctionName(f *testing.F) {
	for _, s := range []string{
		"hello", "hello:live", "123456789012:hello", "arn:aws:lambda:eu-west-1:123456789012:function:hello:$LATEST", "function:a:b:c", "a/b", "",
		"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:f/invocations",
		"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions//invocations",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := awsapi.ParseFunctionName(s); err == nil {
			if n.Name == "" || strings.ContainsAny(n.Name+n.Qualifier, "/:?# \n") || !strings.Contains(s, n.Name) {
				t.Errorf("%q reads as %+v", s, n)
			}
			arn := awsapi.FunctionARN("eu-west-1", "123456789012", n.Name)
			if again, err := awsapi.ParseFunctionName(arn); err == nil && again.Name != n.Name {
				t.Errorf("%q reads as %+v, and %q as %+v", s, n, arn, again)
			}
		}
		name, err := awsapi.ParseLambdaURI(s)
		if err != nil {
			return
		}
		if again, err := awsapi.ParseLambdaURI(awsapi.LambdaURI("eu-west-1", name)); err != nil || again != name {
			t.Errorf("%q names %q, which becomes %q, %v", s, name, again, err)
		}
	})
}

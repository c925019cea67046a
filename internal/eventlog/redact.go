package eventlog

import (
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/jsonpath"
)

// hidden stands in an entry for what a client showed to prove who it is. AWS redacts that from data traces too.
const hidden = "******"

// secretHeaders and secretParameters hold such proofs.
var (
	secretHeaders    = []string{"authorization", "proxy-authorization", "cookie", "x-api-key", "x-amz-security-token"}
	secretParameters = []string{"x-amz-security-token", "x-amz-signature"}
)

// leastSecret is from how many bytes on a value is taken for a secret: a shorter one proves nothing, and may be a part of
// any word.
const leastSecret = 6

// redacted is a payload without the client's secrets, wherever in it they have come to stand. Most payloads have none.
func redacted(payload []byte, ev *apigw.Event) string {
	var pairs []string
	hide := func(secret string) {
		if len(secret) < leastSecret {
			return
		}
		inJSON := string(jsonpath.AppendString(nil, secret))
		pairs = append(pairs, secret, hidden, inJSON[1:len(inJSON)-1], hidden)
	}
	for _, f := range ev.Headers {
		if slices.Contains(secretHeaders, strings.ToLower(f.Name)) {
			hide(f.Value)
		}
	}
	for _, f := range ev.Query {
		if slices.Contains(secretParameters, strings.ToLower(f.Name)) {
			hide(f.Value)
		}
	}
	hide(ev.Context.Identity.APIKey)
	if len(pairs) == 0 {
		return string(payload)
	}
	return strings.NewReplacer(pairs...).Replace(string(payload))
}

package gateway_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/gateway"
)

// FuzzHandshakeWords reads query strings and trace headers as clients send them. Where net/url takes a query string too, it
// must find the same values.
func FuzzHandshakeWords(f *testing.F) {
	f.Add("a=1&a=2&b", "Root=1-2-3")
	f.Add("%zz=%41&&=x", "Self=a;Root=b;Sampled=1")
	f.Add("a=b=c+d;e", strings.Repeat("Root=", 200))
	f.Fuzz(func(t *testing.T, query, trace string) {
		got := map[string][]string{}
		for _, field := range gateway.QueryFields(query) {
			got[field.Name] = append(got[field.Name], field.Value)
		}
		if want, err := url.ParseQuery(query); err == nil {
			if len(got) != len(want) {
				t.Fatalf("%q: got %q, want %q", query, got, want)
			}
			for name, values := range want {
				if strings.Join(got[name], "\x00") != strings.Join(values, "\x00") {
					t.Errorf("%q, %q: got %q, want %q", query, name, got[name], values)
				}
			}
		}
		id := gateway.TraceID(apigw.Fields{{Name: "x-amzn-trace-id", Value: trace}}, time.Now())
		if !strings.Contains(id, "Root=") || len(id) > 600 {
			t.Errorf("trace %q becomes %q", trace, id)
		}
	})
}

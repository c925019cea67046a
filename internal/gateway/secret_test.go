package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"cleat/internal/apigw"
)

// What is told to the sender of a signature that does not match holds its whole request, session token included; what is
// told to logs does not (spec events-and-integrations §4, data-plane §9.1).
func TestRecordOfSignatureHoldsNoToken(t *testing.T) {
	for name, query := range map[string]bool{"header": false, "presigned": true} {
		t.Run(name, func(t *testing.T) {
			n := newIAMNode(t, testUsers(t))
			wrong := annTemp
			wrong.SecretAccessKey = "a guess"
			if _, res := n.handshake(t, signing{creds: wrong, query: query}, nil); res.StatusCode != http.StatusForbidden {
				t.Fatalf("got %d", res.StatusCode)
			}
			rec := <-n.records
			for field, text := range map[string]string{"ErrorMessage": rec.ErrorMessage, "Err": rec.Err.Error(), "Authenticate": rec.Authenticate.Error} {
				if strings.Contains(text, "token/") || strings.Contains(text, "token%2F") || strings.Contains(text, "\n") {
					t.Errorf("%s: %s", field, text)
				}
			}
			if !strings.HasPrefix(rec.ErrorMessage, "The request signature we calculated does not match") {
				t.Errorf("ErrorMessage: %q", rec.ErrorMessage)
			}
		})
	}
}

// A message that no route takes is told of in few words, however long what it asks for is: records wait in queues.
func TestRecordOfNoRouteIsShort(t *testing.T) {
	n := newTestNode(t, api{routes: map[string]string{"known": "any"}}, apigw.LimitsAWS())
	ws := n.open(t)
	<-n.records // the connect
	long := strings.Repeat("é", 10_000)
	say(t, ws, `{"action":"`+long+`"}`)
	hear(t, ws)
	rec := <-n.records
	if want := long[:4*apigw.QuotaRouteKey] + "…"; rec.Selected != want {
		t.Errorf("got %d bytes, %.20q", len(rec.Selected), rec.Selected)
	}
	if text := rec.Err.Error(); len(text) > 1000 || !strings.Contains(text, "éé") {
		t.Errorf("got %d bytes: %.100s", len(text), text)
	}
}

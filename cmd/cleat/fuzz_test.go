package main

import (
	"net/http"
	"strings"
	"testing"

	"cleat/internal/awsclient"
)

// FuzzRefusal prints what a server answers: nothing in it may steer the terminal.
func FuzzRefusal(f *testing.F) {
	f.Add(410, "", []byte(nil))
	f.Add(400, "BadRequestException", []byte(`{"message": "Invalid connectionId: x"}`))
	f.Add(403, "x", []byte("{\"Message\":\"\x1b[2J\\u001b]0;title\\u0007\"}"))
	f.Add(500, "", []byte("\x9b31m\xc2\x9b31m"))
	f.Fuzz(func(t *testing.T, status int, kind string, body []byte) {
		failed := awsclient.ReadError(status, http.Header{"X-Amzn-Errortype": {kind}, "X-Cleat-Gone": {kind}}, body)
		text := strings.TrimSuffix(inPlainWords(failed).Error(), "\n"+failed.Hint())
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 }) {
			t.Errorf("%q would steer a terminal", text)
		}
	})
}

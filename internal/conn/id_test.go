package conn_test

import (
	"encoding/base64"
	"errors"
	"regexp"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/conn"
)

// spec data-plane §3: 16 characters, eleven bytes. The same slot never has the same ID twice.
func TestIDs(t *testing.T) {
	hub := newTestHub(t, newTestHandler(), conn.Options{Incarnation: conn.MaxIncarnation})
	shape := regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{14}=$`) // a leading hyphen would make an option of it
	seen := map[apigw.ConnectionID]bool{}
	firsts := map[byte]bool{}
	for range 10_000 {
		id, err := hub.Reserve(nil)
		if err != nil {
			t.Fatal(err)
		}
		hub.Abandon(id)
		if !shape.MatchString(string(id)) || seen[id] {
			t.Fatalf("got %q, seen %v", id, seen[id])
		}
		seen[id], firsts[id[0]] = true, true
		if n, err := conn.ParseID(string(id)); err != nil || n != conn.MaxIncarnation {
			t.Fatalf("ParseID(%q) = %d, %v", id, n, err)
		}
	}
	if len(firsts) != 63 {
		t.Errorf("%d different first characters: IDs of one slot look alike", len(firsts))
	}
}

// spec management-api §4: text that is no ID is 400, and not 410.
func TestParseIDRefuses(t *testing.T) {
	for _, s := range []string{"", "abc", "Qyi07eCbtjMCJKw", "Qyi07eCbtjMCJKwA", "Qyi07eCbtjMCJKx=", "Qyi07eCbtjM/JKw=", "Qyi07eCbtjMCJK==", "Qyi07eCb\njMCJKw=", "Qyi07eCbtjMCJKw=x"} {
		_, err := conn.ParseID(s)
		if apigw.KindOf(err) != apigw.KindBadRequest || err.Error() != "Invalid connectionId: "+s {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, s := range []string{"Qyi07eCbtjMCJKw=", "SOqGjdZioAMCEeg=", "U_vNFdo2IAMCIoA=", "eHrdFcnvvHcCE-w="} { // AWS's own
		if _, err := conn.ParseID(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// FuzzID holds ParseID to encoding/base64, and a Hub to answering for nothing but its own IDs.
func FuzzID(f *testing.F) {
	hub := newTestHub(f, newTestHandler(), conn.Options{Incarnation: 1})
	own, err := hub.Reserve(nil)
	if err != nil {
		f.Fatal(err)
	}
	defer hub.Abandon(own)
	f.Add("Qyi07eCbtjMCJKw=")
	f.Add("Qyi07eCbtjMCJKx=")
	f.Add("AAAAAAAAAAAAAAA=")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		b, err := base64.URLEncoding.DecodeString(s)
		valid := err == nil && len(b) == 11 && base64.URLEncoding.EncodeToString(b) == s
		n, err := conn.ParseID(s)
		if (err == nil) != valid || n > conn.MaxIncarnation {
			t.Fatalf("ParseID(%q) = %d, %v; want valid %v", s, n, err, valid)
		}
		if _, err := hub.Info(apigw.ConnectionID(s)); err == nil || errors.Is(err, conn.ErrPending) != (s == string(own)) {
			t.Fatalf("Info(%q): %v", s, err)
		}
	})
}

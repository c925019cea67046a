package conn_test

import (
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/conn"
)

// What became of a connection can be asked for after it is gone.
func TestAbsence(t *testing.T) {
	hub := newTestHub(t, newTestHandler(), conn.Options{Incarnation: 7})
	tr := transports()[0]
	check := func(what string, id apigw.ConnectionID, want conn.Presence, code int) {
		t.Helper()
		got := hub.Absence(id)
		if got.Presence != want || got.Code != code {
			t.Errorf("%s: got %+v, want presence %d with code %d", what, got, want, code)
		}
		if timed := want == conn.PresenceClosed || want == conn.PresenceRefused; timed != (time.Since(got.At) < time.Minute) {
			t.Errorf("%s: at %s", what, got.At)
		}
	}
	pending, err := hub.Reserve(nil)
	if err != nil {
		t.Fatal(err)
	}
	check("pending", pending, conn.PresencePending, 0)
	hub.Abandon(pending)
	check("refused", pending, conn.PresenceRefused, 0)

	open, _ := connect(t, hub, tr, nil)
	check("open", open, conn.PresenceOpen, 0)
	if err := hub.Disconnect(open, conn.ReasonDeleted); err != nil {
		t.Fatal(err)
	}
	check("closed", open, conn.PresenceClosed, 1000)

	other := newTestHub(t, newTestHandler(), conn.Options{Incarnation: 7})
	foreign, err := other.Reserve(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Abandon(foreign)
	check("never given out", foreign, conn.PresenceNever, 0)
	check("another node's", "Qyi07eCbtjMCJKw=", conn.PresenceElsewhere, 0)
	check("no ID", "x", conn.PresenceElsewhere, 0)

	for range conn.MaxDeparted { // everything from before is pushed out
		id, err := hub.Reserve(nil)
		if err != nil {
			t.Fatal(err)
		}
		hub.Abandon(id)
	}
	check("closed long ago", open, conn.PresenceForgotten, 0)
	check("never given out, but who knows", foreign, conn.PresenceForgotten, 0)
}

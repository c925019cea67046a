package server_test

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"cleat/internal/apigw"
	"cleat/internal/meter/report"
)

const usageYAML = `name: demo
region: ap-northeast-1
routes:
  $connect: {mock: {statusCode: 200}}
  quiet: {mock: true}
  ask: {mock: {response: hi}}
prices: {freeTier: off}
`

// Constructed traffic, its rows and its bill to the last digit: spec pricing.
func TestUsage(t *testing.T) {
	r := start(t, map[string]string{"cleat.yaml": usageYAML})
	ws := r.dial(t)
	if got := ask(t, ws, `{"action":"ask"}`); got != "hi" { // 1 in, 1 out
		t.Fatalf("got %q", got)
	}
	fragmented(t, ws, `{"action":"ask","text":"`+strings.Repeat("x", 70<<10)+`"}`) // 3 in, 1 out
	if _, b, err := ws.ReadMessage(); err != nil || string(b) != "hi" {
		t.Fatalf("got %q, %v", b, err)
	}
	for range 3 { // 3 in
		if err := ws.WriteMessage(websocket.TextMessage, []byte(`{"action":"quiet"}`)); err != nil {
			t.Fatal(err)
		}
	}
	if got := ask(t, ws, `{"action":"nothing"}`); !strings.Contains(got, "Forbidden") { // 1 in, 1 out
		t.Errorf("got %q", got)
	}
	r.await(t, 6, func(e *apigw.Record) bool { return e.Operation == "message" })
	var id string
	r.mu.Lock()
	for _, e := range r.events {
		if e.Operation == "connect" {
			id = string(e.ConnectionID)
		}
	}
	r.mu.Unlock()
	for _, path := range []string{"/@connections/", "/dev/@connections/", "/" + string(r.info.Outcome.APIs[0].ID) + "/dev/@connections/"} {
		res, err := http.Post("http://"+r.info.Addr+path+url.PathEscape(id), "", strings.NewReader(strings.Repeat("y", 32<<10+1))) // 2 out each
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("push by %s: %d, %v", path, res.StatusCode, err)
		}
		if _, b, err := ws.ReadMessage(); err != nil || len(b) != 32<<10+1 {
			t.Errorf("push by %s: %d bytes, %v", path, len(b), err)
		}
	}
	if res, err := http.Post("http://"+r.info.Addr+"/dev/@connections/Qyi07eCbtjMCJKw%3D", "", strings.NewReader("y")); err != nil || res.Body.Close() != nil || res.StatusCode != http.StatusGone {
		t.Errorf("push to nobody: %+v, %v", res, err)
	}
	http.DefaultClient.CloseIdleConnections()
	r.await(t, 4, func(e *apigw.Record) bool { return e.Operation == "post" })
	if _, res, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+r.info.Addr+"/none", nil); res == nil || res.StatusCode != http.StatusForbidden {
		t.Errorf("a refused handshake: %+v, %v", res, err)
	}

	res, body := r.get(t, "/_cleat/usage", nil)
	var running report.Usage
	if err := json.Unmarshal([]byte(body), &running); err != nil || res.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%v: %s", err, body)
	}
	api := string(r.info.Outcome.APIs[0].ID)
	type counts = report.Counts
	want := map[string]counts{
		"":             {MessagesIn: 1, UnitsIn: 1, MessagesOut: 1, UnitsOut: 1, Connections: 1, Open: 1},
		"@connections": {MessagesOut: 3, UnitsOut: 6},
		"ask":          {MessagesIn: 2, UnitsIn: 4, MessagesOut: 2, UnitsOut: 2},
		"quiet":        {MessagesIn: 3, UnitsIn: 3},
	}
	if len(running.Rows) != len(want) {
		t.Errorf("rows %+v", running.Rows)
	}
	for _, row := range running.Rows {
		got := row.Counts
		got.ConnectionMinutes, got.ConnectionSeconds = 0, 0 // still growing
		if got != want[row.Route] || row.APIID != api || row.Stage != "dev" {
			t.Errorf("%+v, want %+v", row, want[row.Route])
		}
	}

	_, text := r.get(t, "/_cleat/usage?format=csv", nil)
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != 5 || !slices.Equal(rows[2][:7], []string{api, "dev", "@connections", "0", "0", "3", "6"}) {
		t.Errorf("CSV %q, %v", rows, err)
	}
	if _, table := r.get(t, "/_cleat/usage?format=table", nil); !strings.Contains(table, "\n"+api+"  dev    ask           2            4         2             2") {
		t.Errorf("table\n%s", table)
	}
	if res, _ := r.get(t, "/_cleat/usage?format=xml", nil); res.StatusCode != http.StatusBadRequest {
		t.Errorf("an unknown format: %d", res.StatusCode)
	}
	for name, change := range map[string]func(*http.Request){
		"foreign origin": func(q *http.Request) { q.Header.Set("Origin", "https://evil.example") },
		"unknown host":   func(q *http.Request) { q.Host = "evil.example" },
	} {
		if res, _ := r.get(t, "/_cleat/usage", change); res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d, want 403", name, res.StatusCode)
		}
	}

	// 8 units in and 9 out at 1.26 USD a million, one minute at 0.315.
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	used := <-r.used
	if got := used.Bill; got.Units != 17 || got.Minutes != 1 || got.Messages.String() != "0.00002142" || got.ConnectionMinutes.String() != "0.000000315" || got.Total.String() != "0.000021735" || got.PricesOf != "ap-northeast-1" {
		t.Errorf("bill %+v", got)
	}
	if got, want := used.String(), "0.000022 USD: 12 messages in 17 units, 1 connection minute, region ap-northeast-1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if used.Total.Open != 0 || used.Total.Connections != 1 || used.Total.ConnectionSeconds <= 0 {
		t.Errorf("total %+v", used.Total)
	}
}

// fragmented sends a message in frames of at most 32 KB, as AWS wants it (spec data-plane §3.2).
func fragmented(t *testing.T, ws *websocket.Conn, text string) {
	t.Helper()
	w, err := ws.NextWriter(websocket.TextMessage)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil { // gorilla's buffer of 4 KB makes the frames
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// await waits until there were so many events of a kind.
func (r *reporter) await(t *testing.T, n int, match func(*apigw.Record) bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	count := func() int {
		seen := 0
		r.has(func(e *apigw.Record) bool {
			if match(e) {
				seen++
			}
			return false
		})
		return seen
	}
	for count() < n {
		if time.Now().After(deadline) {
			t.Fatalf("the events did not come: %d of %d", count(), n)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

//go:build e2e

package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"reflect"
	"syscall"
	"testing"
	"time"
)

// pageResult is what clients/page.html finds.
type pageResult struct {
	Error      string
	ID         string
	Protocol   string
	Extensions string
	Echo       string
	Long       bool
	Attempts   map[string]string
	After      string
	Closed     struct {
		Code     int
		Reason   string
		WasClean bool
	}
}

// A page of another origin may open a WebSocket (AWS does not look at Origin either), and must not reach the
// management API of a developer's machine.
func TestBrowser(t *testing.T) {
	d := startDev(t, "recorder", options{})
	results := make(chan []byte, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "clients/page.html") })
	mux.HandleFunc("POST /result", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			body = fmt.Appendf(nil, `{"error":%q}`, err)
		}
		results <- body
	})
	pages := httptest.NewServer(mux)
	t.Cleanup(pages.Close)

	log := browse(t, fmt.Sprintf("%s/?port=%d", pages.URL, d.port))
	var got pageResult
	select {
	case body := <-results:
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatalf("the page posted %q: %v", body, err)
		}
	case <-time.After(2 * patience):
		t.Fatalf("the page posted nothing; Chromium printed:\n%s", log.text())
	}

	if got.Error != "" {
		t.Fatalf("the page failed: %s", got.Error)
	}
	if got.Protocol != "v1.example" || got.Extensions != "" {
		t.Errorf("subprotocol %q and extensions %q, want v1.example and none", got.Protocol, got.Extensions)
	}
	if got.Echo != "grüße 🌍" || !got.Long || got.After != "still here" {
		t.Errorf("echoes %q, long message %v, %q after the intrusion", got.Echo, got.Long, got.After)
	}
	// A page sees nothing of a refused request but that it failed, or, sent blindly, that something was answered.
	want := map[string]string{"blind": "opaque 0", "post": "TypeError", "get": "TypeError", "delete": "TypeError"}
	if !reflect.DeepEqual(got.Attempts, want) {
		t.Errorf("the page's calls of the management API: %v, want %v", got.Attempts, want)
	}
	if got.Closed.Code != 4001 || !got.Closed.WasClean {
		t.Errorf("the page's own close came back as %+v", got.Closed)
	}
	if gone := d.awaitEvent("DISCONNECT", got.ID); gone.Context.Code == nil || *gone.Context.Code != 4001 || gone.Context.Reason != "enough" {
		t.Errorf("$disconnect got %+v, want 4001 enough", gone.Context)
	}
	if origin := d.awaitEvent("CONNECT", got.ID).Headers["Origin"]; origin != pages.URL {
		t.Errorf("$connect got Origin %q, want %q", origin, pages.URL)
	}
}

// What no browser would send, but a name that resolves to this machine would (DNS rebinding): a foreign Host.
func TestForeignHostAndOrigin(t *testing.T) {
	d := startDev(t, "recorder", options{})
	c, id := d.connect()
	cases := map[string]struct {
		host, origin string
		status       int
	}{
		"no origin":             {status: http.StatusOK},
		"same origin":           {origin: d.url(""), status: http.StatusOK},
		"foreign origin":        {origin: "http://page.example", status: http.StatusForbidden},
		"another port's origin": {origin: "http://127.0.0.1:1", status: http.StatusForbidden},
		"opaque origin":         {origin: "null", status: http.StatusForbidden},
		"foreign host":          {host: "rebound.example", status: http.StatusForbidden},
	}
	paths := []string{"/dev/@connections/" + id, "/dev/%40connections/" + url.PathEscape(id), "/@connections", "/_cleat/events"}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for _, path := range paths {
				if got := d.in(t).get(path, tc.host, tc.origin); got != tc.status {
					t.Errorf("%s answered %d, want %d", path, got, tc.status)
				}
			}
		})
	}
	if got := c.ask("still here"); got != "still here" {
		t.Errorf("received %q", got)
	}
}

// get asks with a Host ("": the address) and an Origin ("": none), and returns the status of the answer.
func (d *dev) get(path, host, origin string) (status int) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.url(path), nil)
	if err != nil {
		d.t.Fatal(err)
	}
	req.Host = host
	if origin != "" {
		req.Header.Set("Origin", origin)
	}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// browse opens a page in a headless Chromium, which is ended when the test ends.
func browse(t *testing.T, url string) *transcript {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--disable-quic", "--no-first-run", "--no-default-browser-check", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions",
		"--disable-features=Translate,OptimizationHints,MediaRouter", "--no-proxy-server",
		"--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1",
		"--user-data-dir="+t.TempDir(), "--remote-debugging-port=0", url)
	log := newTranscript()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Start(); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	t.Cleanup(func() {
		cmd.Wait() // it was killed, and says so
	})
	return log
}

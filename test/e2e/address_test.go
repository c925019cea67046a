//go:build e2e

package e2e_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/coder/websocket"
)

// One port answers plain and TLS connections under every address of the API. TLS is trusted with the authority that is
// kept in the state directory.
func TestAddresses(t *testing.T) {
	d := startDev(t, "recorder", options{args: []string{"--region", "eu-west-1"}})
	_, id := d.connect()
	api := d.awaitEvent("CONNECT", id).Context.APIID
	d.awaitLog(0, api)

	authority, err := os.ReadFile(filepath.Join(built.state, "cleat", "ca", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		t.Fatalf("the state directory holds no authority: %q", authority)
	}
	// Every name leads to the one port, as a line in the hosts file would do.
	dialer := &net.Dialer{Timeout: patience}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, fmt.Sprintf("127.0.0.1:%d", d.port))
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	o := &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}}

	local := fmt.Sprintf("localhost:%d", d.port)
	for _, url := range []string{
		"ws://" + local + "/dev",
		"ws://" + local + "/dev/",
		"ws://" + local + "/",
		"ws://" + local + "/" + api + "/dev",
		fmt.Sprintf("ws://127.0.0.1:%d/dev", d.port),
		"wss://" + local + "/dev",
		"wss://" + api + ".execute-api.eu-west-1.amazonaws.com/dev",
		"ws://" + api + ".execute-api.localhost/dev",
	} {
		t.Run(url, func(t *testing.T) {
			d := d.in(t)
			c := dial(t, url, o)
			id := c.ask(`{"action":"whoami"}`)
			host := d.awaitEvent("CONNECT", id).Context
			if host.Stage != "dev" || host.APIID != api {
				t.Errorf("stage %q of API %q, want dev of %s", host.Stage, host.APIID, api)
			}
			if want := hostOf(t, url); host.DomainName != want {
				t.Errorf("domainName %q, want the host that was connected to, %q", host.DomainName, want)
			}
		})
	}
}

func hostOf(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req.URL.Host
}

// The API's ID comes from the project's name: what was noted down still works after a restart.
func TestAPIIDSurvivesRestart(t *testing.T) {
	var ids []string
	for range 2 {
		d := startDev(t, "recorder", options{})
		c, id := d.connect()
		c.conn.CloseNow() // a client that does not answer the close frame would hold up the end
		ids = append(ids, d.awaitEvent("CONNECT", id).Context.APIID)
		d.stop()
	}
	if ids[0] != ids[1] || len(ids[0]) != 10 {
		t.Errorf("API IDs %q, want the same ten characters twice", ids)
	}
}

// Library runs an echo server of a WebSocket library with its defaults, behind net/http's server, a goroutine for each
// connection: library gorilla|coder ADDRESS:PORT [CERTIFICATE KEY].
package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
)

func main() {
	handlers := map[string]http.HandlerFunc{"gorilla": echoGorilla, "coder": echoCoder}
	if len(os.Args) != 3 && len(os.Args) != 5 || handlers[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: library gorilla|coder ADDRESS:PORT [CERTIFICATE KEY]")
		os.Exit(2) //nolint:forbidigo // this is the program's main
	}
	// HTTP/2 is off: it has no upgrade.
	s := &http.Server{Addr: os.Args[2], Handler: handlers[os.Args[1]], ReadHeaderTimeout: 30 * time.Second, TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}}
	serve := s.ListenAndServe
	if len(os.Args) == 5 {
		serve = func() error { return s.ListenAndServeTLS(os.Args[3], os.Args[4]) }
	}
	fmt.Fprintln(os.Stderr, "library:", serve())
	os.Exit(1) //nolint:forbidigo // this is the program's main
}

func echoGorilla(w http.ResponseWriter, r *http.Request) {
	up := gorilla.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	c, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // the client has its answer
	}
	defer c.Close() //nolint:errcheck // the connection is over either way
	for {
		op, b, err := c.ReadMessage()
		if err != nil || c.WriteMessage(op, b) != nil {
			return
		}
	}
}

func echoCoder(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return // the client has its answer
	}
	defer c.CloseNow() //nolint:errcheck // the connection is over either way
	for {
		op, b, err := c.Read(r.Context())
		if err != nil || c.Write(r.Context(), op, b) != nil {
			return
		}
	}
}

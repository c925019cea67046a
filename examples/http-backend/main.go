// The http-backend example is a chat room as an ordinary HTTP server: Cleat holds the WebSockets and sends it a request
// for each event, and it sends Cleat a request for each message to somebody. It needs the standard library only.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"sync"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to serve Cleat's requests on")
	cleat := flag.String("cleat", "http://localhost:3001/dev", "management endpoint of the API, as cleat dev prints it")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := serve(ctx, *listen, newRoom(*cleat, log)); err != nil {
		log.Error("the backend ends", "err", err)
		os.Exit(1) //nolint:forbidigo // this is main
	}
}

// serve answers requests until ctx ends.
func serve(ctx context.Context, address string, handler http.Handler) error {
	server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		stopped <- server.Shutdown(grace)
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

// room knows who is there, by connection ID, and tells everybody what is said. It may be used concurrently.
type room struct {
	http.Handler
	cleat  string // management endpoint
	client *http.Client
	log    *slog.Logger

	mu    sync.Mutex
	names map[string]string // by connection ID
}

func newRoom(cleat string, log *slog.Logger) *room {
	r := &room{cleat: cleat, client: &http.Client{Timeout: 10 * time.Second}, log: log, names: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /connect", r.connect)
	mux.HandleFunc("POST /message", r.message)
	mux.HandleFunc("POST /disconnect", r.disconnect)
	r.Handler = mux
	return r
}

// connectionID is what Cleat adds to each request; AWS does not.
func connectionID(req *http.Request) string { return req.Header.Get("X-Cleat-Connection-Id") }

// connect lets in whoever says a name: the query of the WebSocket URL comes along. A status of 2xx means welcome. The
// newcomer cannot be written to yet, because the connection is not open before this has been answered.
func (r *room) connect(w http.ResponseWriter, req *http.Request) {
	name := req.URL.Query().Get("name")
	if name == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.tellAll(req.Context(), name+" is here")
	r.mu.Lock()
	r.names[connectionID(req)] = name
	r.mu.Unlock()
}

// message tells everybody what somebody said. The request's body is the message, as it is.
func (r *room) message(w http.ResponseWriter, req *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 128<<10))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	name := r.names[connectionID(req)]
	r.mu.Unlock()
	r.tellAll(req.Context(), name+": "+string(text))
}

func (r *room) disconnect(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	name, known := r.names[connectionID(req)]
	delete(r.names, connectionID(req))
	r.mu.Unlock()
	if known {
		r.tellAll(req.Context(), name+" has left")
	}
}

// tellAll sends text to everybody, and forgets those who turn out to have gone.
func (r *room) tellAll(ctx context.Context, text string) {
	r.mu.Lock()
	names := maps.Clone(r.names)
	r.mu.Unlock()
	var all sync.WaitGroup
	for id, name := range names {
		all.Go(func() {
			gone, err := r.tell(ctx, id, text)
			if err != nil {
				r.log.Error("a message was not delivered", "to", name, "err", err)
			}
			if gone {
				r.mu.Lock()
				delete(r.names, id)
				r.mu.Unlock()
			}
		})
	}
	all.Wait()
}

// tell posts text to one connection: gone says that there is no such connection any more.
func (r *room) tell(ctx context.Context, id, text string) (gone bool, err error) {
	to := r.cleat + "/@connections/" + url.PathEscape(id)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader([]byte(text)))
	if err != nil {
		return false, err
	}
	resp, err := r.client.Do(req) //nolint:gosec // the host is the flag's; only the escaped ID comes from outside
	if err != nil {
		return false, err
	}
	defer func() { _ = resp.Body.Close() }() // the answer has no body that matters
	switch resp.StatusCode {
	case http.StatusOK:
		return false, nil
	case http.StatusGone:
		return true, nil
	}
	return false, fmt.Errorf("%s answers %s", to, resp.Status)
}

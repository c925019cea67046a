package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/server"
)

// again runs a node on the data directory of one that has ended, whose key goes on.
func again(t *testing.T, s *served, dir string) *served {
	t.Helper()
	next := serve(t, func(o *server.ServeOptions) { o.DataDir = dir })
	next.key = s.key
	return next
}

// call makes a request of a node's control plane and reads its answer into out.
func (s *served) call(t *testing.T, method, path, body string, out any) {
	t.Helper()
	resp := signedCall(t, s.admin, "apigateway", s.key, method, path, body)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %d %s, %v", method, path, resp.StatusCode, text, err)
	}
	if err := json.Unmarshal(text, out); err != nil {
		t.Fatal(err)
	}
}

// newAPI makes an API.
func (s *served) newAPI(t *testing.T, name string) apigw.API {
	t.Helper()
	var api apigw.API
	s.call(t, http.MethodPost, "/v2/apis", `{"name":"`+name+`","protocolType":"WEBSOCKET","routeSelectionExpression":"$request.body.action"}`, &api)
	return api
}

func TestServeKeeps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := serve(t, func(o *server.ServeOptions) { o.DataDir = dir })
	made := s.newAPI(t, "chat")
	s.stop()
	s = again(t, s, dir)
	var kept apigw.API
	s.call(t, http.MethodGet, "/v2/apis/"+string(made.APIID), "", &kept)
	if kept.Name != "chat" {
		t.Errorf("got %+v, want %+v", kept, made)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the data directory has mode %v, %v, want 0700", info.Mode(), err)
	}
	err = server.RunServe(t.Context(), server.ServeOptions{DataDir: dir, Overrides: listening("127.0.0.1:0")})
	if err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a second node on one data directory: %v", err)
	}
}

func TestDataDirectoryOfSomethingElse(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"other files":      {map[string]string{"notes.txt": "mine"}, "notes.txt"},
		"a later format":   {map[string]string{"cleat.json": `{"format": 99}`}, "later version"},
		"a damaged marker": {map[string]string{"cleat.json": `{`}, "cleat.json"},
		"another's marker": {map[string]string{"cleat.json": `{}`}, "cleat.json"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range test.files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			err := server.RunServe(t.Context(), server.ServeOptions{DataDir: dir, Overrides: listening("127.0.0.1:0")})
			if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error that names %s and %q", err, dir, test.want)
			}
			if _, err := os.Stat(filepath.Join(dir, "store")); err == nil {
				t.Error("something was put into it")
			}
		})
	}
}

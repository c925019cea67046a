package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// fakeCleat is a management API that takes down what is posted, and answers 410 for "gone".
type fakeCleat struct {
	mu     sync.Mutex
	posted []string
}

func (f *fakeCleat) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimPrefix(r.URL.Path, "/dev/@connections/")
	text, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.posted = append(f.posted, id+" "+string(text))
	if id == "gone" {
		w.WriteHeader(http.StatusGone)
	}
}

func (f *fakeCleat) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	posted := f.posted
	f.posted = nil
	slices.Sort(posted)
	return posted
}

func TestRoom(t *testing.T) {
	cleat := &fakeCleat{}
	server := httptest.NewServer(cleat)
	t.Cleanup(server.Close)
	r := newRoom(server.URL+"/dev", slog.New(slog.DiscardHandler))
	steps := []struct {
		path, id, body string
		status         int
		posted         []string
	}{
		{path: "/connect", id: "nameless", status: http.StatusBadRequest},
		{path: "/connect?name=ada", id: "a", status: http.StatusOK},
		{path: "/connect?name=bob", id: "gone", status: http.StatusOK, posted: []string{"a bob is here"}},
		{path: "/message", id: "a", body: "hello", status: http.StatusOK, posted: []string{"a ada: hello", "gone ada: hello"}},
		{path: "/message", id: "a", body: "again", status: http.StatusOK, posted: []string{"a ada: again"}},
		{path: "/disconnect", id: "a", status: http.StatusOK},
		{path: "/disconnect", id: "a", status: http.StatusOK},
	}
	for _, step := range steps {
		req := httptest.NewRequest(http.MethodPost, step.path, strings.NewReader(step.body))
		req.Header.Set("X-Cleat-Connection-Id", step.id)
		answer := httptest.NewRecorder()
		r.ServeHTTP(answer, req)
		if answer.Code != step.status {
			t.Errorf("%s by %s: status %d, want %d", step.path, step.id, answer.Code, step.status)
		}
		if got := cleat.take(); !slices.Equal(got, step.posted) {
			t.Errorf("%s by %s: posted %q, want %q", step.path, step.id, got, step.posted)
		}
	}
}

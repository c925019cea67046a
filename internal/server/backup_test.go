package server_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/datadir"
)

// backup writes a backup of a node to a file.
func (s *served) backup(t *testing.T) string {
	t.Helper()
	resp := signedCall(t, s.admin, "cleat", s.key, http.MethodGet, "/_cleat/backup", "")
	defer func() { _ = resp.Body.Close() }()
	file := filepath.Join(t.TempDir(), "backup.tar.gz")
	content, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/gzip" {
		t.Fatalf("backup: %d %s, %v", resp.StatusCode, resp.Header, err)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// copySealKey brings the sealing key of one data directory to another.
func copySealKey(t *testing.T, from, to string) {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(from, "seal.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(to, "seal.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
}

func restore(file, dir string, force bool) (datadir.Restored, error) {
	o := datadir.RestoreOptions{Archive: file, DataDir: dir, Force: force, Log: slog.New(slog.DiscardHandler)}
	return datadir.Restore(context.Background(), o)
}

// apiNames are the names of the APIs of a node.
func apiNames(t *testing.T, s *served) []string {
	t.Helper()
	var list struct {
		Items []apigw.API `json:"items"`
	}
	s.call(t, http.MethodGet, "/v2/apis?maxResults=500", "", &list)
	var out []string
	for _, api := range list.Items {
		out = append(out, api.Name)
	}
	return out
}

// A backup has the node as it was at one moment, files included, and a node that it is restored to is the same.
func TestBackupAndRestore(t *testing.T) {
	s := serve(t, nil)
	dir := s.dir
	made := s.newAPI(t, "chat")
	if err := os.MkdirAll(filepath.Join(dir, "code"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "code", "abc.zip"), []byte("code"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := s.backup(t)
	s.newAPI(t, "later")

	if _, err := restore(file, dir, true); err == nil || !strings.Contains(err.Error(), "a node runs on") {
		t.Errorf("restored below a running node: %v", err)
	}
	s.stop()
	if _, err := restore(file, dir, false); err == nil || !strings.Contains(err.Error(), "--force") {
		t.Errorf("a directory in use was taken: %v", err)
	}
	done, err := restore(file, dir, true)
	if err != nil || done.Aside == "" || !done.SealKey {
		t.Fatalf("%+v, %v", done, err)
	}
	if _, err := os.Stat(filepath.Join(done.Aside, "store")); err != nil {
		t.Errorf("what was there is not aside: %v", err)
	}
	s = again(t, s, dir)
	if got := apiNames(t, s); len(got) != 1 || got[0] != "chat" {
		t.Errorf("the node has %v, want chat alone", got)
	}
	s.stop()

	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	if done, err = restore(file, elsewhere, false); err != nil || done.Aside != "" || done.SealKey {
		t.Fatalf("%+v, %v", done, err)
	}
	if code, err := os.ReadFile(filepath.Join(elsewhere, "code", "abc.zip")); err != nil || string(code) != "code" {
		t.Errorf("the code is %q, %v", code, err)
	}
	copySealKey(t, dir, elsewhere)
	s = again(t, s, elsewhere)
	var api apigw.API
	if s.call(t, http.MethodGet, "/v2/apis/"+string(made.APIID), "", &api); api.Name != "chat" || !api.CreatedDate.Equal(made.CreatedDate) {
		t.Errorf("got %+v, want %+v", api, made)
	}
}

// Backups that are taken while definitions change have whole changes only: an API is there with both of its parts.
func TestBackupUnderChanges(t *testing.T) {
	s := serve(t, nil)
	api := s.newAPI(t, "chat")
	path := "/v2/apis/" + string(api.APIID)
	var in apigw.Integration
	s.call(t, http.MethodPost, path+"/integrations", `{"integrationType":"MOCK"}`, &in)
	var working sync.WaitGroup
	stopping := make(chan struct{})
	working.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stopping:
				return
			default:
			}
			var r apigw.Route // a route and a deployment that has it, again and again
			s.call(t, http.MethodPost, path+"/routes", fmt.Sprintf(`{"routeKey":"k%d","target":"integrations/%s"}`, i, in.IntegrationID), &r)
			var d apigw.Deployment
			s.call(t, http.MethodPost, path+"/deployments", "", &d)
		}
	})
	var files []string
	for range 5 {
		files = append(files, s.backup(t))
	}
	close(stopping)
	working.Wait()
	for _, file := range files {
		dir := filepath.Join(t.TempDir(), "restored")
		if _, err := restore(file, dir, false); err != nil {
			t.Fatal(err)
		}
		copySealKey(t, s.dir, dir)
		restored := again(t, s, dir)
		var routes, deployments struct {
			Items []any `json:"items"`
		}
		restored.call(t, http.MethodGet, path+"/routes?maxResults=500", "", &routes)
		restored.call(t, http.MethodGet, path+"/deployments?maxResults=500", "", &deployments)
		if r, d := len(routes.Items), len(deployments.Items); r != d && r != d+1 {
			t.Errorf("%d routes and %d deployments at one moment", r, d)
		}
		restored.stop()
	}
}

// An archive that is not whole changes nothing.
func TestRestoreDamaged(t *testing.T) {
	s := serve(t, nil)
	s.newAPI(t, "chat")
	file := s.backup(t)
	s.stop()
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, whole[:len(whole)-20], 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "new")
	if _, err := restore(file, dir, false); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v, want an error that names %s", err, file)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a directory was made all the same")
	}
	if _, err := restore(filepath.Join(dir, "none"), dir, false); err == nil {
		t.Error("no file is restored")
	}
}

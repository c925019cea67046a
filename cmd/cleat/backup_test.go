package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/store"
	"cleat/internal/store/backup"
	"cleat/internal/store/memory"
)

// cleat runs the command line and returns its exit code and what it wrote.
func cleat(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(context.Background(), args, nil, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// backupServer answers with a backup of one API, cut off after so many bytes unless that is zero.
func backupServer(t *testing.T, cut int) string {
	t.Helper()
	s := store.New(memory.New())
	var b store.Batch
	store.Put(&b, store.APIs().Key("a1b2c3d4e5"), apigw.API{APIID: "a1b2c3d4e5", Name: "chat"}, store.Absent())
	if _, err := s.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := backup.Write(t.Context(), &archive, backup.Source{Store: s}); err != nil {
		t.Fatal(err)
	}
	content := archive.Bytes()
	if cut > 0 {
		content = content[:cut]
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/_cleat/backup" {
			http.NotFound(w, r)
			return
		}
		_, _ = io.Copy(w, bytes.NewReader(content))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestBackupCommand(t *testing.T) {
	url, dir := backupServer(t, 0), t.TempDir()
	file := filepath.Join(dir, "backup.tar.gz")
	if code, out, errs := cleat("backup", "--endpoint", url, "-o", file); code != 0 || !strings.Contains(out, "1 entries") || !strings.Contains(out, "seal.key") {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	if code, _, errs := cleat("backup", "--endpoint", url, "-o", file); code != 1 || !strings.Contains(errs, "there already") {
		t.Errorf("a backup was overwritten: exit %d, %s", code, errs)
	}
	if code, out, errs := cleat("backup", "--endpoint", url, "-o", "-"); code != 0 || !strings.HasPrefix(out, "\x1f\x8b") {
		t.Errorf("to standard output: exit %d, %.20q, %s", code, out, errs)
	}
	data := filepath.Join(dir, "data")
	if code, out, errs := cleat("restore", file, "--data", data); code != 0 || !strings.Contains(out, "1 entries") || !strings.Contains(out, "there is no seal.key") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	if code, _, errs := cleat("restore", file, "--data", data); code != 1 || !strings.Contains(errs, "--force") {
		t.Errorf("a data directory was overwritten: exit %d, %s", code, errs)
	}
	if code, out, errs := cleat("restore", file, "--data", data, "--force"); code != 0 || !strings.Contains(out, "before-restore-") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
}

// Half a backup leaves no file.
func TestBackupCutOff(t *testing.T) {
	dir := t.TempDir()
	if code, _, errs := cleat("backup", "--endpoint", backupServer(t, 100), "-o", filepath.Join(dir, "b")); code != 1 || !strings.Contains(errs, "cut off") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

//go:build e2e

package e2e_test

import (
	"os"
	"path/filepath"
	"testing"
)

// TestBackup takes a backup of a node that serves, and has another one go on with it: the same addresses, functions,
// connections' events and access keys.
func TestBackup(t *testing.T) {
	t.Parallel()
	first := startServe(t)
	dir := copyProject(t, "testdata/recorder", "")
	events := filepath.Join(dir, "events.jsonl")
	url := first.apply(dir, options{env: []string{"E2E_EVENTS=" + events}})
	want := recordLife(t, url, events)
	backup := filepath.Join(t.TempDir(), "node.tar.gz")
	mustCommand(t, first.key, "", built.cleat, "backup", "--endpoint", first.endpoint(), "-o", backup)
	first.stop() // its ports are the second one's
	if err := os.Remove(events); err != nil {
		t.Fatal(err)
	}

	second := *first
	second.data = filepath.Join(t.TempDir(), "data")
	mustCommand(t, nil, "", built.cleat, "restore", backup, "--data", second.data)
	seal, err := os.ReadFile(filepath.Join(first.data, "seal.key")) // which is kept apart from backups
	if err == nil {
		err = os.WriteFile(filepath.Join(second.data, "seal.key"), seal, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	second.start()
	if got := recordLife(t, url, events); got != want {
		t.Errorf("after the restore the events are\n%s\nwant\n%s", got, want)
	}
	if got := second.aws(awsCLIs(t)[0], "apigatewayv2 get-apis --query Items[].Name"); got != "dev-recorder-websockets" {
		t.Errorf("the restored node has the APIs %q", got)
	}
}

//go:build linux || darwin

package natskv_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"cleat/internal/store"
	"cleat/internal/store/natskv"
)

// fullDir is the environment variable that makes the test binary write to that folder until it cannot.
const fullDir = "CLEAT_TEST_FULL_DIR"

// fill commits until the disk takes no more, and tells how many commits went well and what the next two said.
func fill(dir string) error {
	signal.Ignore(syscall.SIGXFSZ)
	limit := syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20} // of one file: as near to a full disk as a test may go
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	d, err := natskv.Open(context.Background(), natskv.Options{Dir: dir})
	if err != nil {
		return err
	}
	value := []byte(strings.Repeat("x", 100_000))
	n := 0
	for ; err == nil && n < 100; n++ {
		_, err = d.Commit(context.Background(), []store.Change{{Key: fmt.Sprintf("k/%d", n), Value: value}})
	}
	fmt.Println(n-1, err)
	begin := time.Now()
	_, err = d.Commit(context.Background(), []store.Change{{Key: "more", Value: value}})
	fmt.Println(time.Since(begin) < 500*time.Millisecond, err)
	entries, _, err := d.List(context.Background(), "k/")
	fmt.Println(len(entries), err)
	return d.Close()
}

// TestDiskFull fills the disk: changes fail with a word on what to do, and soon; reading goes on; what was acknowledged is
// there when the node starts again.
func TestDiskFull(t *testing.T) {
	if dir := os.Getenv(fullDir); dir != "" {
		if err := fill(dir); err != nil {
			fmt.Println(err)
		}
		return
	}
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestDiskFull$")
	cmd.Env = append(os.Environ(), fullDir+"="+dir)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(out), "\n")
	if len(lines) < 3 {
		t.Fatalf("got %q", out)
	}
	done, why, _ := strings.Cut(lines[0], " ")
	if done == "0" || done == "99" || !strings.Contains(why, dir) || !strings.Contains(why, "file too large") {
		t.Errorf("after %s commits: %s", done, why)
	}
	if !strings.HasPrefix(lines[1], "true ") || !strings.Contains(lines[1], "start the node again") {
		t.Errorf("the next commit: %s", lines[1])
	}
	if lines[2] != done+" <nil>" {
		t.Errorf("%s entries of %s commits", lines[2], done)
	}
	d := open(t, natskv.Options{Dir: dir})
	if entries, _, err := d.List(t.Context(), "k/"); err != nil || fmt.Sprint(len(entries)) != done {
		t.Errorf("%d entries of %s commits, %v", len(entries), done, err)
	}
	commit(t, d, put("more", "x"))
}

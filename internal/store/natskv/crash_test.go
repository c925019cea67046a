package natskv_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"cleat/internal/store"
	"cleat/internal/store/natskv"
)

var kills = flag.Int("kills", 20, "how often TestKill kills the process that writes")

// crashDir is the environment variable that makes the test binary write to that folder until it is killed.
const crashDir = "CLEAT_TEST_CRASH_DIR"

// crashKeys is how many keys each batch writes: some of them with large values, so that a batch is many writes of a disk.
const crashKeys = 12

// scribble commits batches until it is killed. All keys of one batch have the same number, and it tells of each number
// once it is acknowledged. Batches delete and write again, so that the cleaner has work too.
func scribble(dir string) error {
	d, err := natskv.Open(context.Background(), natskv.Options{Dir: dir, Garbage: 1 << 20})
	if err != nil {
		return err
	}
	n := 0
	if e, err := d.Get(context.Background(), "batch/00"); err == nil {
		if n, err = numberOf(e); err != nil {
			return err
		}
	}
	for {
		n++
		changes := make([]store.Change, crashKeys)
		for i := range changes {
			value := strconv.Itoa(n) + " " + strings.Repeat("x", rand.IntN(1<<(4+i)))
			changes[i] = store.Change{Key: fmt.Sprintf("batch/%02d", i), Value: []byte(value)}
		}
		changes = append(changes, store.Change{Key: fmt.Sprintf("own/%d", n), Value: []byte(strconv.Itoa(n))},
			store.Change{Key: fmt.Sprintf("own/%d", n-10), Delete: true})
		if _, err := d.Commit(context.Background(), changes); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

func numberOf(e store.Entry) (int, error) {
	number, _, _ := strings.Cut(string(e.Value), " ")
	return strconv.Atoi(number)
}

// TestKill kills a process that commits at random instants: what it was told is done is there afterwards, and no batch is
// there in part.
func TestKill(t *testing.T) {
	if dir := os.Getenv(crashDir); dir != "" {
		if err := scribble(dir); err != nil {
			fmt.Println(err)
		}
		return
	}
	t.Parallel()
	dir, total := t.TempDir(), 0
	for range *kills {
		acknowledged := killed(t, dir, time.Duration(rand.IntN(150))*time.Millisecond)
		total = max(total, acknowledged)
		checkWhole(t, dir, total)
	}
	if total == 0 {
		t.Error("nothing was ever acknowledged")
	}
	t.Logf("%d batches through %d kills", total, *kills)
}

// killed runs the writer, kills it some time after its first commit, and returns the last number that it told.
func killed(t *testing.T, dir string, after time.Duration) int {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer watchdog.Stop()
	last := 0
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == "" {
			continue
		}
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Errorf("the writer says %q", lines.Text())
			break
		}
		if last == 0 {
			time.AfterFunc(after, func() { _ = cmd.Process.Signal(syscall.SIGKILL) })
		}
		last = n
	}
	_, _ = io.Copy(io.Discard, out)
	exit, ok := errors.AsType[*exec.ExitError](cmd.Wait())
	if !ok || exit.Success() {
		t.Errorf("the writer ended by itself: %v", exit)
	}
	return last
}

// checkWhole opens the store and wants all of the acknowledged batches, or one more that nobody heard of.
func checkWhole(t *testing.T, dir string, acknowledged int) {
	t.Helper()
	d, err := natskv.Open(t.Context(), natskv.Options{Dir: dir, NoSync: true})
	if err != nil {
		t.Fatalf("after batch %d: %v", acknowledged, err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	batch, _, err := d.List(t.Context(), "batch/")
	if err != nil || len(batch) != crashKeys {
		t.Fatalf("after batch %d: %d keys, %v", acknowledged, len(batch), err)
	}
	n, err := numberOf(batch[0])
	if err != nil || n < acknowledged {
		t.Fatalf("batch %d was acknowledged, the store has %d, %v", acknowledged, n, err)
	}
	for _, e := range batch {
		if have, err := numberOf(e); err != nil || have != n {
			t.Errorf("%s is of batch %d, %s of %d, %v", batch[0].Key, n, e.Key, have, err)
		}
	}
	own, _, err := d.List(t.Context(), "own/")
	if err != nil || len(own) != min(n, 10) {
		t.Errorf("after batch %d: %d keys of single batches, %v", n, len(own), err)
	}
	for i := max(1, n-9); i <= n; i++ {
		if e, err := d.Get(t.Context(), fmt.Sprintf("own/%d", i)); err != nil || string(e.Value) != strconv.Itoa(i) {
			t.Errorf("own/%d: %q, %v", i, e.Value, err)
		}
	}
}

// TestTornTail cuts and spoils the end of the log, as a machine may that loses its power: the batch whose record is
// broken is gone as a whole, and those before it are all there.
func TestTornTail(t *testing.T) {
	t.Parallel()
	for name, tear := range map[string]struct {
		last int
		with byte
		cut  bool
	}{
		"one byte short":   {last: 1, cut: true},
		"half a record":    {last: 700, cut: true},
		"zeros at the end": {last: 700},
		"noise at the end": {last: 700, with: 0xA5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			d, err := natskv.Open(t.Context(), natskv.Options{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			const batches = 5
			for n := 1; n <= batches; n++ {
				value := []byte(strconv.Itoa(n) + " " + strings.Repeat("x", 1000))
				if _, err := d.Commit(t.Context(), []store.Change{{Key: "a", Value: value}, {Key: "b", Value: value}}); err != nil {
					t.Fatal(err)
				}
			}
			copied := filepath.Join(t.TempDir(), "copy") // as it is on disk now: nothing was closed in order
			if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			blocks, err := filepath.Glob(filepath.Join(copied, "jetstream", "$G", "streams", "*", "msgs", "*.blk"))
			if err != nil || len(blocks) != 1 {
				t.Fatalf("blocks %v, %v", blocks, err)
			}
			if tear.cut {
				truncate(t, blocks[0], int64(tear.last))
			} else {
				overwrite(t, blocks[0], tear.last, tear.with)
			}
			d = open(t, natskv.Options{Dir: copied})
			a, errA := d.Get(t.Context(), "a")
			b, errB := d.Get(t.Context(), "b")
			if errA != nil || errB != nil || string(a.Value) != string(b.Value) || !strings.HasPrefix(string(a.Value), strconv.Itoa(batches-1)+" ") {
				t.Errorf("got %.3q and %.3q, %v, %v, want batch %d", a.Value, b.Value, errA, errB, batches-1)
			}
			if _, err := d.Commit(t.Context(), []store.Change{{Key: "a", Value: []byte("on"), Expect: store.At(a.Revision)}}); err != nil {
				t.Errorf("it does not go on: %v", err)
			}
		})
	}
}

func truncate(t *testing.T, file string, by int64) {
	t.Helper()
	info, err := os.Stat(file)
	if err == nil {
		err = os.Truncate(file, info.Size()-by)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, file string, last int, with byte) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range last {
		content[len(content)-1-i] = with
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

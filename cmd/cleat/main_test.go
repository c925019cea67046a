package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cleat": main})
}

// TestScripts runs the command line as a user does. $PORT and $OTHER are free ports, and "ready" waits until Cleat answers on the
// first, or the one that it is given; "usekey FILE" takes the access key that a command has shown, whose output is in FILE,
// for those that follow.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			port, err := freePort()
			e.Setenv("PORT", strconv.Itoa(port))
			other, otherErr := freePort()
			e.Setenv("OTHER", strconv.Itoa(other))
			e.Setenv("HOME", e.WorkDir+"/home")
			e.Setenv("PATH", os.Getenv("PATH"))
			return errors.Join(err, otherErr)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"ready": ready, "usekey": useKey},
	})
}

func freePort() (int, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	addr, ok := ln.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.New("no TCP address")
	}
	return addr.Port, nil
}

func ready(ts *testscript.TestScript, _ bool, args []string) {
	port := ts.Getenv("PORT")
	if len(args) > 0 {
		port = args[0]
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+port+"/_cleat/healthz", nil)
		ts.Check(err)
		r.Close = true
		res, err := http.DefaultClient.Do(r)
		if err == nil {
			ts.Check(res.Body.Close())
			if res.StatusCode == http.StatusOK {
				return
			}
			err = fmt.Errorf("health answered %d", res.StatusCode)
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("Cleat did not get ready: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func useKey(ts *testscript.TestScript, _ bool, args []string) {
	shown := regexp.MustCompile(`export AWS_ACCESS_KEY_ID=(\S+) AWS_SECRET_ACCESS_KEY=(\S+)`).FindStringSubmatch(ts.ReadFile(args[0]))
	if shown == nil {
		ts.Fatalf("no access key is in %s", args[0])
	}
	ts.Setenv("AWS_ACCESS_KEY_ID", shown[1])
	ts.Setenv("AWS_SECRET_ACCESS_KEY", shown[2])
}

// Output that goes to a file of the project is no change of it; a pipe and a terminal are no files.
func TestFilesOf(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	got := filesOf(&bytes.Buffer{}, w, f)
	if want, err := f.Stat(); err != nil || len(got) != 1 || !os.SameFile(got[0], want) {
		t.Errorf("got %v, want the one file", got)
	}
}

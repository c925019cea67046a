package listen_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"cleat/internal/listen"
)

// systemd's sockets come as descriptors 3 and on, with names. A process of its own takes them, for its descriptors are
// its own.
func TestActivated(t *testing.T) {
	if os.Getenv("LISTEN_FDS") != "" {
		env := append(os.Environ(), "LISTEN_PID="+strings.TrimSpace(os.Getenv("TEST_PID")))
		got, err := listen.Activated(env, 7)
		if err != nil || len(got["public"]) != 1 || len(got["admin"]) != 1 {
			t.Fatal(got, err)
		}
		for name, lns := range got {
			want := os.Getenv("TEST_" + name)
			if lns[0].Addr().String() != want {
				t.Errorf("%s: %s, want %s", name, lns[0].Addr(), want)
			}
			lns[0].Close()
		}
		return
	}
	var files []*os.File
	env := append(os.Environ(), "LISTEN_FDS=2", "LISTEN_FDNAMES=public:admin", "TEST_PID=7")
	for _, name := range []string{"public", "admin"} {
		ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		f, err := ln.File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files, env = append(files, f), append(env, "TEST_"+name+"="+ln.Addr().String())
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestActivated$", "-test.v")
	cmd.Env, cmd.ExtraFiles = env, files
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, env := range [][]string{nil, {"LISTEN_FDS=1", "LISTEN_PID=8"}} {
		if got, err := listen.Activated(env, 7); got != nil || err != nil {
			t.Errorf("%q: got %v, %v", env, got, err)
		}
	}
	if _, err := listen.Activated([]string{"LISTEN_FDS=many", "LISTEN_PID=7"}, 7); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

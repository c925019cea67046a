//go:build e2e

package e2e_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// A client sees exactly what AWS would send (spec data-plane §6); the developer sees the file and the cause.
func TestFailures(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal(err)
	}
	onlyNode := t.TempDir()
	if err := os.Symlink(node, filepath.Join(onlyNode, "node")); err != nil {
		t.Fatal(err)
	}
	d := startDev(t, "failures", options{env: []string{"PATH=" + onlyNode}})
	c, id := d.connect()
	cases := map[string]struct {
		message string
		log     []string // the parts that one line of the log holds
	}{
		"throws":      {message: "Internal server error", log: []string{"thrown on purpose"}},
		"syntax":      {message: "Internal server error", log: []string{"syntax.js", "SyntaxError"}},
		"absent":      {message: "Internal server error", log: []string{"index.absent is undefined or not exported"}},
		"slow":        {message: "Internal server error", log: []string{"serverless.yml:25", "did not answer within its timeout of 1 s"}},
		"exits":       {message: "Internal server error", log: []string{"exit status 3"}},
		"malformed":   {message: "Internal server error", log: []string{"malformed", "surprise"}},
		"uninstalled": {message: "Internal server error", log: []string{"Cannot find module 'a-package-that-nobody-installed'"}},
		"interpreter": {message: "Internal server error", log: []string{"python3"}},
		"unheard":     {message: "Forbidden"},
	}
	for action, tc := range cases {
		t.Run(action, func(t *testing.T) {
			d, c := d.in(t), c.in(t)
			before := d.log.length()
			got := c.ask(`{"action":"` + action + `"}`)
			want := regexp.MustCompile(`^\{"message": "` + tc.message + `", "connectionId":"` + id + `", "requestId":"[\w-]{15}="\}$`)
			if !want.MatchString(got) {
				t.Errorf("received %s, want %s", got, want)
			}
			if tc.log != nil {
				d.awaitLog(before, tc.log...)
			}
		})
	}
	t.Run("throws where", func(t *testing.T) {
		d, c := d.in(t), c.in(t)
		before := d.log.length()
		c.ask(`{"action":"throws"}`)
		d.awaitLog(before, "index.js:10")
	})

	if got := refused(t, d.ws()+"?fail=401"); got != http.StatusUnauthorized {
		t.Errorf("a $connect that answers 401 is refused with %d", got)
	}
	if got := refused(t, d.ws()+"?fail=throw"); got != http.StatusBadGateway {
		t.Errorf("a $connect that throws is refused with %d, want 502", got)
	}
	if got := refused(t, d.url("/nostage")); got != http.StatusForbidden {
		t.Errorf("an unknown stage is refused with %d, want 403", got)
	}
	if got := c.ask(`{"action":"whoami"}`); got != id {
		t.Errorf("after all that the connection answers %q", got)
	}
}

//go:build e2e

package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Saving a file is all it takes: what is connected stays connected.
func TestReload(t *testing.T) {
	d := startDev(t, "reload", options{})
	c, id := d.connect()
	version := func() string { return c.ask(`{"action":"version"}`) }
	if got := version(); got != "first library" {
		t.Fatalf("received %q, want the first version", got)
	}
	becomes := func(want string) {
		t.Helper()
		d.eventually("the new code runs", func() error {
			if got := version(); got != want {
				return fmt.Errorf("received %q, want %q", got, want)
			}
			return nil
		})
	}

	d.edit("index.js", "first", "second")
	becomes("second library")
	d.edit("lib/text.js", "library", "helper")
	becomes("second helper")

	// A route that was not there.
	if got := c.ask(`{"action":"extra"}`); !strings.HasPrefix(got, `{"message": "Forbidden"`) {
		t.Errorf("a route that is not there yet: received %q", got)
	}
	d.edit("index.js", "exports.version", "exports.extra = async () => ({ statusCode: 200, body: 'extra' });\nexports.version")
	d.edit("serverless.yml", "  version:\n", "  extra:\n    handler: index.extra\n    events:\n      - websocket: { route: extra, routeResponseSelectionExpression: $default }\n  version:\n")
	d.eventually("the new route answers", func() error {
		if got := c.ask(`{"action":"extra"}`); got != "extra" {
			return fmt.Errorf("received %q", got)
		}
		return nil
	})

	// A definition that is no good: said with file and line, and the old one stays in force.
	before := d.log.length()
	good := d.read("serverless.yml")
	d.edit("serverless.yml", "functions:\n", "functions: [\n")
	d.awaitLog(before, "serverless.yml:")
	if got := version(); got != "second helper" {
		t.Errorf("with a broken serverless.yml: received %q, want the old definition to stay", got)
	}
	writeFile(t, filepath.Join(d.dir, "serverless.yml"), strings.Replace(good, "handler: index.extra", "handler: index.nowhere", 1))
	d.eventually("the mended definition is in force", func() error {
		if got := c.ask(`{"action":"extra"}`); got == "extra" {
			return errors.New("the old handler answers")
		}
		return nil
	})

	if got := c.ask(`{"action":"whoami"}`); got != id {
		t.Errorf("connection ID %q, want %q: the connection should have stayed", got, id)
	}
}

func (d *dev) read(name string) string {
	d.t.Helper()
	content, err := os.ReadFile(filepath.Join(d.dir, name))
	if err != nil {
		d.t.Fatal(err)
	}
	return string(content)
}

// edit replaces the first occurrence of old in a file of the project, as an editor's save does.
func (d *dev) edit(name, old, new string) {
	d.t.Helper()
	content := d.read(name)
	if !strings.Contains(content, old) {
		d.t.Fatalf("%s does not contain %q", name, old)
	}
	writeFile(d.t, filepath.Join(d.dir, name), strings.Replace(content, old, new, 1))
}

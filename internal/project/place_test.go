package project_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"cleat/internal/project"
	"cleat/internal/testkit/golden"
)

// A place that cannot be looked at is not one where nothing is.
func TestUnreadableFolder(t *testing.T) {
	t.Parallel()
	dir := golden.Write(t, txtar.Parse([]byte(small)).Files)
	if err := os.Symlink("cleat.yaml", filepath.Join(dir, "cleat.yaml")); err != nil {
		t.Fatal(err)
	}
	if _, err := project.Load(dir, project.Options{}); err == nil || !strings.Contains(err.Error(), "cleat.yaml: cannot be looked at: too many levels") {
		t.Errorf("got %v, want the reason", err)
	}
	if os.Getuid() <= 0 {
		return // nothing is forbidden to root
	}
	if err := os.Chmod(dir, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	if _, err := project.Load(dir, project.Options{}); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("got %v, want the reason", err)
	}
}

func TestRegionOfTheCommandLine(t *testing.T) {
	t.Parallel()
	for name, archive := range map[string]string{
		"serverless.yml": small,
		"cleat.yaml":     "-- cleat.yaml --\nname: a\nroutes: { $default: far }\nremoteFunctions: { far: 'http://127.0.0.1:1' }\n",
		"both":           "-- cleat.yaml --\nregion: eu-west-1\n" + small,
	} {
		_, err := load(t, project.Options{Region: "mars-1"}, archive)
		if want := `--region: region: "mars-1" is not a region, such as eu-west-1`; err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

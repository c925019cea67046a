package config_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"cleat/internal/cfn"
	"cleat/internal/config"
	"cleat/internal/input"
)

// read reads the cleat.yaml of an archive of files.
func read(t *testing.T, archive string) (*input.Reading, config.Node) {
	t.Helper()
	r := input.New()
	r.Dir = t.TempDir()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		if err := os.WriteFile(filepath.Join(r.Dir, f.Name), f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root := r.Parse("cleat.yaml")
	return r, config.Read(r, root, "eu-west-1", func(*cfn.Value) bool { return false })
}

// node is what was read, or what is wrong with it.
func node(r *input.Reading, n config.Node) (config.Node, error) { return n, r.Err() }

func TestLimitsApply(t *testing.T) {
	t.Parallel()
	n, err := node(read(t, "-- cleat.yaml --\nlimits: { profile: open, frameSize: 16KB, idleTimeout: 90 }\n"))
	if err != nil {
		t.Fatal(err)
	}
	own, aws := n.Limits.Apply(""), n.Limits.Apply("aws")
	if !own.Binary || own.FrameSize != 16<<10 || own.IdleTimeout != 90*time.Second {
		t.Errorf("got %+v, want profile open with the overrides", own)
	}
	if aws.Binary || aws.FrameSize != 16<<10 || aws.IdleTimeout != 90*time.Second {
		t.Errorf("got %+v, want profile aws with the overrides", aws)
	}
	if zero := (config.Limits{}).Apply(""); zero.Binary || zero.FrameSize != 32<<10 {
		t.Errorf("got %+v, want profile aws", zero)
	}
}

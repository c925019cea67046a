package lambda

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// runtimeFiles are the runtimes' own programs: small implementations of what AWS's runtimes do around a handler.
//
//go:embed runtime
var runtimeFiles embed.FS

// Files below a pool's folder.
const (
	nodeBootstrap   = "runtime/node/bootstrap.cjs"
	nodeCapture     = "runtime/node/capture.cjs"
	pythonBootstrap = "runtime/python/bootstrap.py"
	pythonSite      = "runtime/python/site"
)

func writeRuntimes(dir string) error {
	err := fs.WalkDir(runtimeFiles, "runtime", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(path))
		if d.IsDir() {
			return os.MkdirAll(to, 0o700)
		}
		b, err := runtimeFiles.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, b, 0o600)
	})
	if err != nil {
		return fmt.Errorf("write the runtimes of local functions: %w", err)
	}
	return nil
}

package template

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"cleat/internal/input"
	"cleat/internal/unzip"
)

// Bounds of an archive, Lambda's own for what is unpacked, and of what is kept.
const (
	maxArchive  = 256 << 20
	maxUnpacked = 250 << 20
	maxEntries  = 100_000            // and folders
	keepCode    = 7 * 24 * time.Hour // code that no project has used for so long is removed
)

var errNoCodeDir = errors.New("there is no folder to write it to")

// write is the folder of a file with that text, named for the text: what is there already stays.
func (r *Reader) write(name, text string) (string, error) {
	sum := sha256.Sum256([]byte(name + "\x00" + text))
	return r.keep(hex.EncodeToString(sum[:]), func(dir string) error {
		return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)
	})
}

// unpack is the folder of an archive's content, named for the content.
func (r *Reader) unpack(path string) (string, error) {
	f, err := os.Open(path) //nolint:gosec // G304: the project names it
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // only read
	hash := sha256.New()
	n, err := io.Copy(hash, io.LimitReader(f, maxArchive+1))
	if err != nil {
		return "", err
	}
	if n > maxArchive {
		return "", fmt.Errorf("larger than %d MiB", maxArchive>>20)
	}
	return r.keep(hex.EncodeToString(hash.Sum(nil)), func(dir string) error {
		// The bounds end it, so that there is no need of a context.
		return unzip.To(context.Background(), f, dir, unzip.Options{MaxBytes: maxUnpacked, MaxFiles: maxEntries, Folder: 0o700, File: 0o600})
	})
}

// keep is the folder of that name for this project's code. One that is not there is made by fill, whole or not at all.
func (r *Reader) keep(name string, fill func(dir string) error) (string, error) {
	if r.Options.CodeDir == "" {
		return "", errNoCodeDir
	}
	of := sha256.Sum256([]byte(r.Dir))
	base := filepath.Join(r.Options.CodeDir, hex.EncodeToString(of[:8]))
	dir := filepath.Join(base, name)
	now := time.Now()
	if err := os.Chtimes(dir, now, now); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(base, 0o700); err != nil {
		return "", err
	}
	r.linkModules(base)
	forget(base, now.Add(-keepCode))
	temporary, err := os.MkdirTemp(base, "new-*")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(temporary) }() // nothing is left of it when all went well
	if err := fill(temporary); err != nil {
		return "", err
	}
	if err := os.Rename(temporary, dir); err != nil && !input.IsDir(dir) { // another process may have been quicker
		return "", err
	}
	return dir, nil
}

// linkModules lets code that was written out find the project's packages, the AWS SDK above all, which Lambda has and a folder
// of a single file has not. Where links cannot be made the code must bring what it needs.
func (r *Reader) linkModules(base string) {
	const modules = "node_modules"
	if target := filepath.Join(r.Dir, modules); input.IsDir(target) {
		_ = os.Symlink(target, filepath.Join(base, modules)) // there already, as a rule
	}
}

// forget removes folders of code that nobody has used since then.
func forget(base string, since time.Time) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.IsDir() && info.ModTime().Before(since) {
			_ = os.RemoveAll(filepath.Join(base, e.Name())) // tried again next time
		}
	}
}

package template

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"cleat/internal/input"
)

// Bounds of an archive, Lambda's own for what is unpacked, and of what is kept.
const (
	maxArchive  = 256 << 20
	maxUnpacked = 250 << 20
	maxEntries  = 100_000
	maxLink     = 4096               // bytes of a link's target
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
		archive, err := zip.NewReader(f, n)
		if err != nil {
			return err
		}
		return unzip(archive, dir)
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

// unzip writes an archive's files below dir. Names and links that lead out of it, and what is too large, are errors.
func unzip(archive *zip.Reader, dir string) (err error) {
	if len(archive.File) > maxEntries {
		return fmt.Errorf("more than %d files", maxEntries)
	}
	root, err := os.OpenRoot(dir) // what is written through a link of the archive stays below dir, too
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	left := int64(maxUnpacked)
	for _, f := range archive.File {
		n, err := unzipEntry(root, f, left)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		left -= n
	}
	return nil
}

// unzipEntry writes one entry of an archive, of at most limit bytes, and returns how many it has.
func unzipEntry(root *os.Root, f *zip.File, limit int64) (n int64, err error) {
	name := filepath.FromSlash(f.Name)
	mode := f.Mode()
	if mode.IsDir() {
		return 0, root.MkdirAll(name, 0o700)
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return 0, err
	}
	in, err := f.Open()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	switch {
	case mode&fs.ModeSymlink != 0:
		text, err := io.ReadAll(io.LimitReader(in, maxLink+1))
		if err != nil {
			return 0, err
		}
		target := filepath.FromSlash(string(text))
		if len(text) > maxLink || filepath.IsAbs(target) || !filepath.IsLocal(filepath.Join(filepath.Dir(name), target)) {
			return 0, errors.New("a link that leads out of the archive")
		}
		return int64(len(text)), root.Symlink(target, name)
	case !mode.IsRegular():
		return 0, errors.New("neither a file nor a folder")
	}
	out, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600|mode&0o100)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	n, err = io.Copy(out, io.LimitReader(in, limit+1))
	if err == nil && n > limit {
		return n, fmt.Errorf("the archive is larger than %d MiB unpacked", maxUnpacked>>20)
	}
	return n, err
}

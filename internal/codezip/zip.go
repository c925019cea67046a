package codezip

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Package is a folder as a zip file.
type Package struct {
	Zip    []byte
	SHA256 string // of Zip, in hexadecimal
	Files  int
	Size   int64 // bytes of the files
}

// Options bound what is packed.
type Options struct {
	// Patterns say which files are packed, in the order in which they count: a later one overrides an earlier one. One that
	// begins with ! leaves files out. They come after those of the folder's IgnoreFile.
	Patterns []string
	MaxSize  int64 // bytes of all files; zero: 250 MiB, Lambda's bound
}

// IgnoreFile is the file of a folder that names what is not to be packed, one pattern a line, as .gitignore does.
const IgnoreFile = ".cleatignore"

const defaultMaxSize = 250 << 20

// ErrTooLarge says that a folder is over Options.MaxSize.
var ErrTooLarge = errors.New("too large to be a function's code")

// epoch is the time of all files: the earliest that a zip file can say.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// Folder packs a folder. Links that stay inside are followed, as Lambda has none; others are errors, and so is a folder without
// a file. Version control, what frameworks build, and IgnoreFile itself are left out.
func Folder(dir string, o Options) (Package, error) {
	if o.MaxSize == 0 {
		o.MaxSize = defaultMaxSize
	}
	w := &walker{o: o, root: dir}
	var err error
	if w.real, err = filepath.EvalSymlinks(dir); err != nil {
		return Package{}, fmt.Errorf("pack %s: %w", dir, err)
	}
	if w.patterns, err = readIgnoreFile(dir); err != nil {
		return Package{}, err
	}
	w.patterns = slices.Concat(builtIn, w.patterns, readPatterns(o.Patterns))
	if err := w.folder("", 0); err != nil {
		return Package{}, fmt.Errorf("pack %s: %w", dir, err)
	}
	if len(w.files) == 0 {
		return Package{}, fmt.Errorf("pack %s: there is no file to pack", dir)
	}
	slices.SortFunc(w.files, func(x, y file) int { return strings.Compare(x.name, y.name) })
	return w.write()
}

// file is one file to be packed.
type file struct {
	name       string // in the zip file
	path       string
	executable bool
}

type walker struct {
	o        Options
	root     string
	real     string // of root, without links
	patterns []pattern
	files    []file
	size     int64
}

const maxDepth = 64 // of folders

// folder collects the files of one folder, whose name has slashes and is empty for the root.
func (w *walker) folder(name string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%s is nested more than %d folders deep", name, maxDepth)
	}
	entries, err := os.ReadDir(filepath.Join(w.root, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	for _, e := range entries {
		inner := e.Name()
		if name != "" {
			inner = name + "/" + inner
		}
		if err := w.entry(inner, depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) entry(name string, depth int) error {
	path := filepath.Join(w.root, filepath.FromSlash(name))
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		if !w.takes(name, true) && !w.takes(name, false) {
			return nil
		}
		if info, err = w.follow(path); err != nil {
			return err
		}
	}
	switch {
	case info.IsDir():
		if !w.enters(name) {
			return nil
		}
		return w.folder(name, depth+1)
	case !info.Mode().IsRegular(), !w.takes(name, false): // sockets and the like are no code
		return nil
	}
	if w.size += info.Size(); w.size > w.o.MaxSize {
		return fmt.Errorf("%w: over %d MB; name what the functions do not need in %s, or package.patterns of serverless.yml", ErrTooLarge, w.o.MaxSize>>20, IgnoreFile)
	}
	w.files = append(w.files, file{name, path, info.Mode()&0o111 != 0})
	return nil
}

// follow looks at what a link leads to, which must be in the folder.
func (w *walker) follow(path string) (fs.FileInfo, error) {
	to, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	if rel, err := filepath.Rel(w.real, to); err != nil || !filepath.IsLocal(rel) {
		return nil, fmt.Errorf("%s is a link to %s, outside of the folder: copy it in, or name it in %s", path, to, IgnoreFile)
	}
	// A folder above the link would be packed into itself.
	above, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	if rel, err := filepath.Rel(to, above); err == nil && filepath.IsLocal(rel) {
		return nil, fmt.Errorf("%s is a link to a folder that it is in: it leads in a circle", path)
	}
	return os.Stat(to)
}

// write packs the files that were collected.
func (w *walker) write() (Package, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	z.RegisterCompressor(zip.Deflate, func(to io.Writer) (io.WriteCloser, error) { return flate.NewWriter(to, flate.DefaultCompression) })
	for _, f := range w.files {
		if err := pack(z, f); err != nil {
			return Package{}, fmt.Errorf("pack %s: %w", f.path, err)
		}
	}
	if err := z.Close(); err != nil {
		return Package{}, fmt.Errorf("pack %s: %w", w.root, err)
	}
	sum := sha256.Sum256(out.Bytes())
	return Package{Zip: out.Bytes(), SHA256: hex.EncodeToString(sum[:]), Files: len(w.files), Size: w.size}, nil
}

func pack(z *zip.Writer, f file) error {
	h := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: epoch}
	h.SetMode(0o644)
	if f.executable {
		h.SetMode(0o755)
	}
	to, err := z.CreateHeader(h)
	if err != nil {
		return err
	}
	from, err := os.Open(f.path)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, from.Close())
}

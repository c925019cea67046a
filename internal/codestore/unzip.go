package codestore

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	maxPath = 4096 // bytes of an entry's name
	maxLink = 4096 // bytes of the target of a symbolic link
)

// unpack unpacks a zip file into a fresh folder aside.
func (s *Store) unpack(ctx context.Context, file string) (string, error) {
	dir, err := os.MkdirTemp(s.dir, temporary+"*")
	if err != nil {
		return "", fmt.Errorf("unpack code: %w", err)
	}
	if err := s.unpackTo(ctx, dir, file); err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return dir, nil
}

func (s *Store) unpackTo(ctx context.Context, dir, file string) error {
	f, err := os.Open(file) //nolint:gosec // G304: one of the store's own
	if err != nil {
		return fmt.Errorf("unpack code: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	return s.unzip(ctx, f, dir)
}

// unzip unpacks a zip file into an empty folder. Files come first, all of them through an os.Root, and links last, so that
// nothing is ever written through a link; a link that leads out of the folder is refused, whichever way round it goes.
//
// There is no bound for how well a file is compressed: what comes out is counted and bounded as it comes.
func (s *Store) unzip(ctx context.Context, f *os.File, dir string) error {
	entries, err := s.entries(f)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("unpack code: %w", err)
	}
	defer func() { _ = root.Close() }()
	left := s.o.MaxCode
	links := map[string]*zip.File{}
	made := folders{}
	files := 0
	for _, e := range entries {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		name, err := localName(e.Name)
		if err != nil {
			return err
		}
		if made.add(name); len(made) > s.o.MaxFiles {
			return fmt.Errorf("%w: more than %d folders", ErrTooLarge, s.o.MaxFiles)
		}
		switch mode := e.Mode(); {
		case name == ".":
		case mode.IsDir():
			err = root.MkdirAll(name, 0o755)
		case mode&fs.ModeSymlink != 0:
			links[name] = e
		case mode.IsRegular():
			files++
			left, err = unzipFile(root, name, e, left)
		default:
			err = fmt.Errorf("%w: %s is neither a file, a folder nor a link", ErrInvalid, e.Name)
		}
		if errors.Is(err, errFull) {
			return fmt.Errorf("%w: unzipped it has more than %d bytes", ErrTooLarge, s.o.MaxCode)
		}
		if err != nil {
			return unzipError(e.Name, err)
		}
	}
	if files == 0 {
		return fmt.Errorf("%w: it holds no file", ErrInvalid)
	}
	return unzipLinks(root, links)
}

// folders are those that a zip file's names have: one name of 4,096 bytes can have two thousand, and each is made.
type folders map[string]struct{}

// add adds the folders above a name.
func (f folders) add(name string) {
	for dir := filepath.Dir(name); dir != "."; dir = filepath.Dir(dir) {
		if _, known := f[dir]; known {
			return
		}
		f[dir] = struct{}{}
	}
}

// entries reads a zip file's directory, unless it has too many entries to be held in memory.
func (s *Store) entries(f *os.File) ([]*zip.File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("unpack code: %w", err)
	}
	if err := s.countEntries(io.NewSectionReader(f, 0, info.Size())); err != nil {
		return nil, err
	}
	z, err := zip.NewReader(f, info.Size())
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // localName sees to those
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return z.File, nil
}

// countEntries counts what may be an entry of a zip file's directory. The count that the file states need not be true, and
// the standard library does not go by it.
func (s *Store) countEntries(r io.Reader) error {
	mark := []byte("PK\x01\x02")
	buf := make([]byte, 64<<10)
	kept, count := 0, 0
	for {
		n, err := r.Read(buf[kept:])
		seen := buf[:kept+n]
		count += bytes.Count(seen, mark)
		if count > s.o.MaxFiles {
			return fmt.Errorf("%w: a zip file of more than %d entries", ErrTooLarge, s.o.MaxFiles)
		}
		kept = copy(buf, seen[max(0, len(seen)-len(mark)+1):])
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("unpack code: %w", err)
		}
	}
}

// localName is the path of an entry below the folder that it is unpacked to, in the system's form.
func localName(name string) (string, error) {
	local := filepath.FromSlash(path.Clean(name))
	if name == "" || len(name) > maxPath || strings.ContainsAny(name, "\\\x00") || !filepath.IsLocal(local) {
		return "", fmt.Errorf("%w: an entry is called %.100q, which is no path below the zip file's top", ErrInvalid, name)
	}
	return local, nil
}

var errFull = errors.New("over the quota")

// unzipFile writes one file and returns how many bytes are left of the quota.
func unzipFile(root *os.Root, name string, e *zip.File, left int64) (int64, error) {
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return left, err
	}
	mode := fs.FileMode(0o444) // as on Lambda, where the task root cannot be written to
	if e.Mode()&0o111 != 0 {
		mode = 0o555
	}
	in, err := e.Open()
	if err != nil {
		return left, err
	}
	defer func() { _ = in.Close() }() // it was only read
	out, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return left, err
	}
	n, err := io.Copy(out, io.LimitReader(in, left+1))
	if n > left {
		err = errFull
	}
	return left - n, errors.Join(err, out.Close())
}

// unzipLinks makes the links, once all files are there, and then looks where they lead.
func unzipLinks(root *os.Root, links map[string]*zip.File) error {
	for name, e := range links {
		if err := unzipLink(root, name, e); err != nil {
			return unzipError(e.Name, err)
		}
	}
	for name, e := range links {
		// One that leads nowhere harms nobody, one that leads out is refused by the root.
		if _, err := root.Stat(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: the link %s does not stay within the code: %w", ErrInvalid, e.Name, err)
		}
	}
	return nil
}

func unzipLink(root *os.Root, name string, e *zip.File) error {
	in, err := e.Open()
	if err != nil {
		return err
	}
	target, err := io.ReadAll(io.LimitReader(in, maxLink+1))
	if err = errors.Join(err, in.Close()); err != nil {
		return err
	}
	if len(target) == 0 || len(target) > maxLink || bytes.IndexByte(target, 0) >= 0 || filepath.IsAbs(string(target)) {
		return fmt.Errorf("%w: it is a link to %.100q", ErrInvalid, target)
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return root.Symlink(string(target), name)
}

// unzipError tells what the sender of a zip file has to mend from what the machine lacks.
func unzipError(name string, err error) error {
	switch {
	case errors.Is(err, ErrInvalid):
		return err
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%w: %s is there twice", ErrInvalid, name)
	case errors.Is(err, zip.ErrAlgorithm), errors.Is(err, zip.ErrChecksum), errors.Is(err, zip.ErrFormat), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %s: %w", ErrInvalid, name, err)
	}
	for _, names := range []error{syscall.ENOTDIR, syscall.EISDIR, syscall.ENAMETOOLONG, syscall.EINVAL, syscall.ELOOP} {
		if errors.Is(err, names) { // a file in the place of a folder, and the like
			return fmt.Errorf("%w: %s: %w", ErrInvalid, name, err)
		}
	}
	if _, is := errors.AsType[syscall.Errno](err); is {
		return fmt.Errorf("unpack code: %s: %w", name, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrInvalid, name, err) // what is left are the decompressor's
}

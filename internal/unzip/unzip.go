// Package unzip unpacks zip files of functions' code, whoever made them: never outside of the folder, and within bounds of bytes,
// of entries and of folders. Callers are packages codestore, for what is uploaded, and template, for what lies in a project.
package unzip

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

// Errors of To, wrapped with what was wrong. Any other is this machine's.
var (
	// ErrTooLarge says that what is in a zip file is over a bound.
	ErrTooLarge = errors.New("the code is too large")
	// ErrInvalid says that a file is no zip file, or one that must not be unpacked.
	ErrInvalid = errors.New("not a zip file of code")
)

// Options are the bounds, all of which must be set, and what is made.
type Options struct {
	MaxBytes int64 // of all files together
	MaxFiles int   // entries, and folders that their names imply
	// Folder and File are the modes of what is made. An executable may also be executed by whoever may read it.
	Folder, File fs.FileMode
}

// To unpacks a zip file into an empty folder. Files come first, all of them through an os.Root, and links last, so that
// nothing is ever written through a link; a link that leads out of the folder is refused, whichever way round it goes.
//
// There is no bound for how well a file is compressed: what comes out is counted and bounded as it comes. After an error
// the folder holds a part; the caller removes it. f is read wherever its offset is, and stays open.
func To(ctx context.Context, f *os.File, dir string, o Options) error {
	list, err := entries(f, o)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("unpack code: %w", err)
	}
	defer func() { _ = root.Close() }()
	left := o.MaxBytes
	links := map[string]*zip.File{}
	made := folders{}
	files := 0
	for _, e := range list {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		name, err := localName(e.Name)
		if err != nil {
			return err
		}
		if made.add(name); len(made) > o.MaxFiles {
			return fmt.Errorf("%w: more than %d folders", ErrTooLarge, o.MaxFiles)
		}
		switch mode := e.Mode(); {
		case name == ".":
		case mode.IsDir():
			err = root.MkdirAll(name, o.Folder)
		case mode&fs.ModeSymlink != 0:
			links[name] = e
		case mode.IsRegular():
			files++
			left, err = unzipFile(root, name, e, left, o)
		default:
			err = fmt.Errorf("%w: %s is neither a file, a folder nor a link", ErrInvalid, e.Name)
		}
		if errors.Is(err, errFull) {
			return fmt.Errorf("%w: unzipped it has more than %d bytes", ErrTooLarge, o.MaxBytes)
		}
		if err != nil {
			return unzipError(e.Name, err)
		}
	}
	if err := unzipLinks(root, links, o); err != nil {
		return err
	}
	if files == 0 {
		return fmt.Errorf("%w: it holds no file", ErrInvalid)
	}
	return nil
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
func entries(f *os.File, o Options) ([]*zip.File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("unpack code: %w", err)
	}
	if err := countEntries(io.NewSectionReader(f, 0, info.Size()), o); err != nil {
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
func countEntries(r io.Reader, o Options) error {
	mark := []byte("PK\x01\x02")
	buf := make([]byte, 64<<10)
	kept, count := 0, 0
	for {
		n, err := r.Read(buf[kept:])
		seen := buf[:kept+n]
		count += bytes.Count(seen, mark)
		if count > o.MaxFiles {
			return fmt.Errorf("%w: a zip file of more than %d entries", ErrTooLarge, o.MaxFiles)
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
		return "", fmt.Errorf("%w: %.100s: the name of an entry is no path below the archive's top", ErrInvalid, strings.ToValidUTF8(name, "\uFFFD"))
	}
	return local, nil
}

var errFull = errors.New("over the quota")

// unzipFile writes one file and returns how many bytes are left of the quota.
func unzipFile(root *os.Root, name string, e *zip.File, left int64, o Options) (int64, error) {
	if err := root.MkdirAll(filepath.Dir(name), o.Folder); err != nil {
		return left, err
	}
	mode := o.File
	if e.Mode()&0o111 != 0 {
		mode |= mode & 0o444 >> 2
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
func unzipLinks(root *os.Root, links map[string]*zip.File, o Options) error {
	for name, e := range links {
		if err := unzipLink(root, name, e, o); err != nil {
			return unzipError(e.Name, err)
		}
	}
	for name, e := range links {
		// One that leads nowhere harms nobody, one that leads out is refused by the root.
		if _, err := root.Stat(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: %s: a link that leads out of the archive: %w", ErrInvalid, e.Name, err)
		}
	}
	return nil
}

func unzipLink(root *os.Root, name string, e *zip.File, o Options) error {
	in, err := e.Open()
	if err != nil {
		return err
	}
	target, err := io.ReadAll(io.LimitReader(in, maxLink+1))
	if err = errors.Join(err, in.Close()); err != nil {
		return err
	}
	switch {
	case filepath.IsAbs(string(target)):
		return fmt.Errorf("%w: %s: a link that leads out of the archive, to %.100q", ErrInvalid, e.Name, target)
	case len(target) == 0 || len(target) > maxLink || bytes.IndexByte(target, 0) >= 0:
		return fmt.Errorf("%w: %s: a link to %.100q", ErrInvalid, e.Name, target)
	}
	if err := root.MkdirAll(filepath.Dir(name), o.Folder); err != nil {
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

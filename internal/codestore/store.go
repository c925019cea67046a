package codestore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/unzip"
)

// Errors of a Store, wrapped with what was wrong.
var (
	// ErrNotFound says that no code of that hash is kept.
	ErrNotFound = errors.New("no such code is kept")
	// ErrHash says that an upload was not what its sender said it would be.
	ErrHash = errors.New("the code has another hash than it should")
	// ErrTooLarge says that a zip file, or what is in it, is over a quota.
	ErrTooLarge = unzip.ErrTooLarge
	// ErrInvalid says that an upload is no zip file, or one that must not be unpacked.
	ErrInvalid = unzip.ErrInvalid
)

// Options are the settings of a Store. The zero value has AWS's quotas.
type Options struct {
	MaxZip   int64 // bytes of a zip file; zero: apigw.QuotaFunctionZip
	MaxCode  int64 // bytes of all that is in one; zero: apigw.QuotaFunctionCode
	MaxFiles int   // entries of a zip file; zero: 100,000
	// Grace is how long code is kept that Sweep was not told of, so that an upload can be named by a function, and workers of
	// a function that has new code can finish. Zero: one hour.
	Grace time.Duration
}

// Store is a folder of code. It is safe for concurrent use by one process, and needs no closing.
type Store struct {
	o   Options
	dir string

	mu     sync.Mutex           // held for renames and removals, so that they are one after the other
	unused map[string]time.Time // since when nobody is known to use a hash
}

// Code is one zip file that is kept.
type Code struct {
	SHA256 string // of the zip file, in hexadecimal
	Size   int64  // of the zip file, in bytes
}

const temporary = "tmp-"

// Open returns the store in a folder, which is made where it is missing, and removes what a crash left half.
func Open(dir string, o Options) (*Store, error) {
	if o.MaxZip <= 0 {
		o.MaxZip = apigw.QuotaFunctionZip
	}
	if o.MaxCode <= 0 {
		o.MaxCode = apigw.QuotaFunctionCode
	}
	if o.MaxFiles <= 0 {
		o.MaxFiles = 100_000
	}
	if o.Grace <= 0 {
		o.Grace = time.Hour
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("the folder of functions' code: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of functions' code: %w", err)
	}
	if err := clean(dir); err != nil {
		return nil, fmt.Errorf("remove what a crash left of functions' code: %w", err)
	}
	return &Store{o: o, dir: dir, unused: map[string]time.Time{}}, nil
}

const bootFile = "boot"

// clean removes what a crash of the process left half and, where the machine went down since, the unpacked folders.
func clean(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	boot := bootID()
	was, err := os.ReadFile(filepath.Join(dir, bootFile)) //nolint:gosec // G304: the store's own
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	trusted := boot != "" && string(was) == boot
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), temporary) && (trusted || !e.IsDir() || !IsHash(e.Name())) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, bootFile), []byte(boot), 0o600)
}

// bootID names this start of the machine, and is empty where the system does not tell.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "" // the folders are made anew then, which takes some time and is never wrong
	}
	return strings.TrimSpace(string(id))
}

var hash = regexp.MustCompile(`^[0-9a-f]{64}$`)

// IsHash reports whether a text can be the hash of code: 64 lower-case hexadecimal digits.
func IsHash(s string) bool { return hash.MatchString(s) }

func (s *Store) zip(sha string) string { return filepath.Join(s.dir, sha+".zip") }

// Path is where the code of a hash is, or would be, unpacked.
func (s *Store) Path(sha string) string { return filepath.Join(s.dir, sha) }

// Put takes in a zip file. want is the hash that it must have, or empty. When Put returns without an error, the file is
// on disk whatever happens to the machine; putting the same again is no error. It fails with ErrHash, ErrTooLarge or
// ErrInvalid, and keeps nothing then.
func (s *Store) Put(ctx context.Context, r io.Reader, want string) (Code, error) {
	f, err := os.CreateTemp(s.dir, temporary+"*.zip")
	if err != nil {
		return Code{}, fmt.Errorf("keep code: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // it has another name by then, or was not to be
	code, err := s.write(ctx, f, r)
	if err = errors.Join(err, f.Close()); err != nil {
		return Code{}, err
	}
	if want != "" && want != code.SHA256 {
		return Code{}, fmt.Errorf("%w: want %s, got %s", ErrHash, want, code.SHA256)
	}
	unpacked, err := s.unpack(ctx, f.Name())
	if err != nil {
		return Code{}, err
	}
	defer func() { _ = os.RemoveAll(unpacked) }() // likewise
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.unused, code.SHA256)
	if err := os.Rename(f.Name(), s.zip(code.SHA256)); err != nil {
		return Code{}, fmt.Errorf("keep code: %w", err)
	}
	if err := syncDir(s.dir); err != nil {
		return Code{}, fmt.Errorf("keep code: %w", err)
	}
	return code, s.settle(unpacked, code.SHA256)
}

// write copies a zip file to disk, within bounds.
func (s *Store) write(ctx context.Context, f *os.File, r io.Reader) (Code, error) {
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(&cancelled{ctx, r}, s.o.MaxZip+1))
	switch {
	case err != nil:
		return Code{}, fmt.Errorf("keep code: %w", err)
	case n > s.o.MaxZip:
		return Code{}, fmt.Errorf("%w: a zip file of more than %d bytes", ErrTooLarge, s.o.MaxZip)
	}
	if err := f.Sync(); err != nil {
		return Code{}, fmt.Errorf("keep code: %w", err)
	}
	return Code{SHA256: hex.EncodeToString(sum.Sum(nil)), Size: n}, nil
}

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
	// As on Lambda, where the task root cannot be written to.
	return unzip.To(ctx, f, dir, unzip.Options{MaxBytes: s.o.MaxCode, MaxFiles: s.o.MaxFiles, Folder: 0o755, File: 0o444})
}

// cancelled is a reader that ends with a context.
type cancelled struct {
	ctx context.Context //nolint:containedctx // it lives as long as one call
	r   io.Reader
}

func (c *cancelled) Read(b []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}

// settle gives a folder that has just been unpacked its name, unless there is such a one. s.mu is held.
func (s *Store) settle(unpacked, sha string) error {
	if isDir(s.Path(sha)) {
		return nil
	}
	if err := os.Rename(unpacked, s.Path(sha)); err != nil {
		return fmt.Errorf("unpack code %s: %w", sha, err)
	}
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// Stat returns what is known of the code of a hash, which from now on is kept for the Grace at least. It fails with
// ErrNotFound.
func (s *Store) Stat(sha string) (Code, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !IsHash(sha) {
		return Code{}, fmt.Errorf("%w: %q is not a SHA-256 in hexadecimal", ErrNotFound, sha)
	}
	info, err := os.Stat(s.zip(sha))
	if errors.Is(err, fs.ErrNotExist) {
		return Code{}, fmt.Errorf("%w: %s", ErrNotFound, sha)
	}
	if err != nil {
		return Code{}, fmt.Errorf("look for code: %w", err)
	}
	delete(s.unused, sha)
	return Code{SHA256: sha, Size: info.Size()}, nil
}

// Dir returns the folder with the unpacked code of a hash, and unpacks it where that has not been done. It fails with
// ErrNotFound. Nobody may change what is in the folder.
func (s *Store) Dir(ctx context.Context, sha string) (string, error) {
	if _, err := s.Stat(sha); err != nil {
		return "", err
	}
	if isDir(s.Path(sha)) {
		return s.Path(sha), nil
	}
	unpacked, err := s.unpack(ctx, s.zip(sha))
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(unpacked) }()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Path(sha), s.settle(unpacked, sha)
}

// Sweep removes the code that used does not name and that nobody has put, asked for or been said to use for the Grace. It
// is meant to be called now and then; a process that has just started begins to count anew.
func (s *Store) Sweep(used map[string]bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("sweep functions' code: %w", err)
	}
	var failed error
	for _, e := range entries {
		sha := strings.TrimSuffix(e.Name(), ".zip")
		if !IsHash(sha) {
			continue
		}
		since, known := s.unused[sha]
		switch {
		case used[sha]:
			delete(s.unused, sha)
		case !known:
			s.unused[sha] = time.Now()
		case time.Since(since) > s.o.Grace:
			failed = errors.Join(failed, s.remove(sha))
		}
	}
	return failed
}

// remove removes the code of a hash: first what the folder could be made of again. s.mu is held.
func (s *Store) remove(sha string) error {
	if err := os.Remove(s.zip(sha)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sweep functions' code: %w", err)
	}
	if err := os.RemoveAll(s.Path(sha)); err != nil {
		return fmt.Errorf("sweep functions' code: %w", err)
	}
	return nil
}

package backup

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/gzip"

	"cleat/internal/store"
)

const (
	entriesName  = "store.jsonl"
	manifestName = "manifest.json"
	format       = 1
)

// Manifest is what an archive says of itself.
type Manifest struct {
	Format   int       `json:"format"`
	Created  time.Time `json:"created"`
	Version  string    `json:"version,omitempty"` // Cleat's that wrote it
	Revision uint64    `json:"revision"`          // of the store
	Entries  int       `json:"entries"`
	Members  []Member  `json:"members"` // in their order, without the manifest
}

// Member is one file of an archive.
type Member struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hex
}

// Source is what goes into an archive.
type Source struct {
	Store *store.Store
	// Dir is the folder of the Files, whose paths are relative to it and have slashes. They must not change while there is an
	// entry that names them.
	Dir     string
	Files   []string
	Version string // Cleat's, for the manifest
}

// line is one entry of entriesName.
type line struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

// Write writes an archive. The store may be changed meanwhile: what goes in is as it was at one moment.
func Write(ctx context.Context, w io.Writer, s Source) error {
	entries, revision, err := s.Store.Entries(ctx)
	if err != nil {
		return err
	}
	zip := gzip.NewWriter(&writer{ctx, w})
	a := &archive{tar: tar.NewWriter(zip), manifest: Manifest{
		Format: format, Created: time.Now().UTC().Truncate(time.Second), Version: s.Version, Revision: uint64(revision), Entries: len(entries),
	}}
	if err := a.addEntries(entries); err != nil {
		return err
	}
	for _, name := range s.Files {
		if err := a.addFile(s.Dir, name); err != nil {
			return err
		}
	}
	text, err := json.Marshal(a.manifest)
	if err != nil {
		return err
	}
	if err := a.tar.WriteHeader(header(manifestName, int64(len(text)), a.manifest.Created)); err != nil {
		return err
	}
	if _, err := a.tar.Write(text); err != nil {
		return err
	}
	if err := a.tar.Close(); err != nil {
		return err
	}
	return zip.Close()
}

// writer gives up when the context does.
type writer struct {
	ctx context.Context //nolint:containedctx // it is the context of the one Write
	w   io.Writer
}

func (w *writer) Write(p []byte) (int, error) {
	if err := context.Cause(w.ctx); err != nil {
		return 0, err
	}
	return w.w.Write(p)
}

// archive is one being written.
type archive struct {
	tar      *tar.Writer
	manifest Manifest
}

func header(name string, size int64, at time.Time) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: at}
}

// begin writes the header of a member. What is written to the result is its content.
func (a *archive) begin(name string, size int64) (io.Writer, hash.Hash, error) {
	sum := sha256.New()
	return io.MultiWriter(a.tar, sum), sum, a.tar.WriteHeader(header(name, size, a.manifest.Created))
}

func (a *archive) end(name string, size int64, sum hash.Hash) {
	a.manifest.Members = append(a.manifest.Members, Member{name, size, hex.EncodeToString(sum.Sum(nil))})
}

func (a *archive) addEntries(entries []store.Entry) error {
	var size counter // a tar file has the size before the content
	if err := writeEntries(&size, entries); err != nil {
		return err
	}
	w, sum, err := a.begin(entriesName, int64(size))
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(w, 64<<10)
	if err := writeEntries(buffered, entries); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	a.end(entriesName, int64(size), sum)
	return nil
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func writeEntries(w io.Writer, entries []store.Entry) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for _, e := range entries {
		value, err := e.JSON()
		if err != nil {
			return err
		}
		if err := encoder.Encode(line{e.Key, value}); err != nil {
			return fmt.Errorf("%s: %w", e.Key, err)
		}
	}
	return nil
}

func (a *archive) addFile(dir, name string) (err error) {
	f, err := os.Open(filepath.Join(dir, filepath.FromSlash(name))) //nolint:gosec // G304: a file of the data directory
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return err
	}
	w, sum, err := a.begin(name, info.Size())
	if err != nil {
		return err
	}
	if _, err := io.CopyN(w, f, info.Size()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	a.end(name, info.Size(), sum)
	return nil
}

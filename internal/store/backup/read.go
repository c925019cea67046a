package backup

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"

	"cleat/internal/store"
)

// Target is where an archive goes. Either function may be nil.
type Target struct {
	// Entry takes one entry of the store, in the order of keys. value is JSON and only valid during the call.
	Entry func(key string, value json.RawMessage) error
	// File takes one file. name is a local path with slashes (filepath.IsLocal); content need not be read.
	File func(name string, content io.Reader) error
}

// Bounds of an archive that is read.
const (
	maxManifest = 64 << 20
	maxLine     = 2 * store.MaxValue
)

// errCut says that the end of an archive is missing.
var errCut = errors.New("the archive is cut off: its manifest is missing")

// Read reads an archive to its end and hands over what is in it. Only when it returns without an error was all of that in
// order: who must not act on half an archive reads it twice, the first time with an empty Target.
func Read(ctx context.Context, r io.Reader, to Target) (Manifest, error) {
	zip, err := gzip.NewReader(&reader{ctx, bufio.NewReaderSize(r, 64<<10)})
	if err != nil {
		return Manifest{}, fmt.Errorf("it is no backup of Cleat's: %w", err)
	}
	a := tar.NewReader(zip)
	var found []Member
	entries := 0
	for {
		h, err := a.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return Manifest{}, errCut
		}
		if err != nil {
			return Manifest{}, fmt.Errorf("the archive is damaged: %w", err)
		}
		if h.Name == manifestName {
			m, err := readManifest(a, found, entries)
			if err != nil {
				return Manifest{}, err
			}
			return m, readRest(zip)
		}
		m, n, err := readMember(h, a, len(found) == 0, to)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return Manifest{}, errCut
		}
		if err != nil {
			return Manifest{}, fmt.Errorf("%.300s: %w", h.Name, err)
		}
		found = append(found, m)
		entries += n
	}
}

// reader gives up when the context does.
type reader struct {
	ctx context.Context //nolint:containedctx // it is the context of the one Read
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// readRest reads what comes after the manifest, which is nothing but the checksum of the compression.
func readRest(zip io.Reader) error {
	n, err := io.Copy(io.Discard, io.LimitReader(zip, 1<<20))
	if err != nil {
		return fmt.Errorf("the archive is damaged: %w", err)
	}
	if n == 1<<20 {
		return errors.New("the archive is damaged: there is something after its manifest")
	}
	return nil
}

// readMember reads one member that is not the manifest, and returns how many entries it has.
func readMember(h *tar.Header, content io.Reader, first bool, to Target) (Member, int, error) {
	if h.Typeflag != tar.TypeReg || !filepath.IsLocal(filepath.FromSlash(h.Name)) || strings.ContainsAny(h.Name, "\\\x00") {
		return Member{}, 0, errors.New("it is no file that a backup has")
	}
	if first != (h.Name == entriesName) {
		return Member{}, 0, errors.New("want " + entriesName + " first, and once")
	}
	sum := sha256.New()
	content = io.TeeReader(content, sum)
	entries := 0
	var err error
	switch {
	case first:
		entries, err = readEntries(content, to.Entry)
	case to.File != nil:
		err = to.File(h.Name, content)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, content)
	}
	return Member{h.Name, h.Size, hex.EncodeToString(sum.Sum(nil))}, entries, err
}

func readEntries(r io.Reader, take func(string, json.RawMessage) error) (int, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	n, last := 0, ""
	for lines.Scan() {
		n++
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return n, fmt.Errorf("line %d: %w", n, err)
		}
		if err := store.CheckChanges([]store.Change{{Key: l.Key}}); err != nil {
			return n, fmt.Errorf("line %d: %w", n, err)
		}
		switch {
		case l.Key <= last:
			return n, fmt.Errorf("line %d: key %s comes after %s", n, l.Key, last)
		case len(l.Value) == 0:
			return n, fmt.Errorf("line %d: key %s has no value", n, l.Key)
		}
		last = l.Key
		if take == nil {
			continue
		}
		if err := take(l.Key, l.Value); err != nil {
			return n, err
		}
	}
	return n, lines.Err()
}

// readManifest holds what was found to what the manifest says.
func readManifest(r io.Reader, found []Member, entries int) (Manifest, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxManifest))
	if err != nil {
		return Manifest{}, errCut
	}
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%s: %w", manifestName, err)
	}
	if m.Format > format {
		return m, fmt.Errorf("it is of a later version of Cleat (format %d, this version knows %d)", m.Format, format)
	}
	if m.Format < 1 || len(m.Members) != len(found) || m.Entries != entries {
		return m, fmt.Errorf("the archive is damaged: %s does not fit what is in it", manifestName)
	}
	for i := range found {
		if found[i] != m.Members[i] {
			return m, fmt.Errorf("the archive is damaged: %s is not what was written", found[i].Name)
		}
	}
	return m, nil
}

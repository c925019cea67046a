// Package datadir is the folder that holds all of a node that outlives its process:
//
//	cleat.json  what the directory is, and in which format
//	store/      definitions
//	code/       uploaded code
//	usage/      what API keys have used
//	ca/         the authority that local functions trust
//	acme/       certificates from an ACME authority
//	seal.key    what seals secrets in the store
//	audit.log   who changed what
//
// It opens the store in it, writes backups of all of it and makes one of a backup. What is in the files is the business of those
// who write them. Callers are packages server, for a node, and cmd/cleat, for what is done without one.
package datadir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"cleat/internal/store"
	"cleat/internal/store/memory"
	"cleat/internal/store/natskv"
)

// What is in a data directory. It belongs to the user that the node runs as, and to nobody else.
const (
	StoreFolder = "store"     // definitions, by natskv
	CodeFolder  = "code"      // uploaded code, by codestore
	UsageFolder = "usage"     // what API keys have used, by usageplan
	CAFolder    = "ca"        // the authority that local functions trust
	ACMEFolder  = "acme"      // certificates from an ACME authority
	SealKeyFile = "seal.key"  // what seals secrets in the store
	AuditFile   = "audit.log" // who changed what
)

const (
	marker   = "cleat.json" // what the directory is, and in which format
	dataMode = 0o700
)

// format is the version of the layout. A later Cleat that lays things out otherwise counts it up, and an earlier one
// does not touch what it does not understand.
const format = 1

type description struct {
	Format int `json:"format"`
}

// Open opens the store of a data directory, and makes the directory where there is none. It refuses one that holds
// other things, so that a wrong path does no harm, one of a later format, and one that another process has open. An empty
// name is a store in memory. Who opens it closes it, after all who use it.
func Open(ctx context.Context, dir string, log *slog.Logger) (*store.Store, func() error, error) {
	if dir == "" {
		log.Warn("without a data directory everything is forgotten when the node ends")
		return store.New(memory.New()), func() error { return nil }, nil
	}
	if err := Mark(dir); err != nil {
		return nil, nil, fmt.Errorf("data directory %s: %w", dir, err)
	}
	d, err := natskv.Open(ctx, natskv.Options{Dir: filepath.Join(dir, StoreFolder), Log: log})
	if err != nil {
		return nil, nil, err
	}
	return store.New(d), d.Close, nil
}

// Within names a part of a data directory; it is empty where that is.
func Within(dir, name string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, name)
}

// Mark makes the directory and its marker, or sees whether the marker is one that this version understands.
func Mark(dir string) error {
	if err := os.MkdirAll(dir, dataMode); err != nil {
		return err
	}
	path := filepath.Join(dir, marker)
	text, err := os.ReadFile(path) //nolint:gosec // G304: a fixed name in the directory that the user has named
	if errors.Is(err, fs.ErrNotExist) {
		return newMarker(dir)
	}
	if err != nil {
		return err
	}
	var have description
	if err := json.Unmarshal(text, &have); err != nil || have.Format < 1 {
		return fmt.Errorf("%s is not Cleat's: want {\"format\": %d}; bring back a backup with: cleat restore", path, format)
	}
	if have.Format > format {
		return fmt.Errorf("it is of a later version of Cleat (format %d, this version knows %d)", have.Format, format)
	}
	return nil
}

// newMarker marks a directory as Cleat's, if there is nothing in it that is not.
func newMarker(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !isOwnOfNode(e.Name()) {
			return fmt.Errorf("it holds %s and no %s: want a directory of the node's own", e.Name(), marker)
		}
	}
	return writeMarker(dir)
}

func writeMarker(dir string) error {
	text, err := json.Marshal(description{format})
	if err != nil {
		return err
	}
	return writeSynced(filepath.Join(dir, marker), append(text, '\n'))
}

// isOwnOfNode tells of what may be in a data directory before there is anything else, and stays where it is when a backup
// is restored: a sealing key that was brought along, the audit log, former ones of both, what volumes have, and what
// earlier restores have put aside.
func isOwnOfNode(name string) bool {
	return strings.HasPrefix(name, SealKeyFile) || strings.HasPrefix(name, AuditFile) || name == "lost+found" || strings.HasPrefix(name, asidePrefix)
}

// writeSynced writes a file so that it is there whole or not at all, and stays.
func writeSynced(path string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the names in a directory stay.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // G304: the data directory
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, fs.ErrInvalid) || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) {
		err = nil // Windows knows no such thing
	}
	return errors.Join(err, d.Close())
}

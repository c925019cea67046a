package server

import (
	"context"
	"log/slog"
	"path/filepath"

	"cleat/internal/store"
	"cleat/internal/store/memory"
	"cleat/internal/store/natskv"
)

// storeFolder is the part of a data directory that the store has to itself.
const storeFolder = "store"

// openData opens the store of a data directory, which no other process may have open; an empty name is a store in memory.
// Who opens it closes it, after all who use it.
func openData(ctx context.Context, dataDir string, log *slog.Logger) (*store.Store, func() error, error) {
	if dataDir == "" {
		return store.New(memory.New()), func() error { return nil }, nil
	}
	d, err := natskv.Open(ctx, natskv.Options{Dir: filepath.Join(dataDir, storeFolder), Log: log})
	if err != nil {
		return nil, nil, err
	}
	return store.New(d), d.Close, nil
}

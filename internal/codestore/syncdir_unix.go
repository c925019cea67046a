//go:build unix

package codestore

import (
	"errors"
	"os"
)

// syncDir brings the names in a folder to disk.
func syncDir(dir string) error {
	f, err := os.Open(dir) //nolint:gosec // G304: the store's own
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

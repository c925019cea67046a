// Package access is who may call a node: users with their access keys out of the store and of cleat.yaml, the log-in to what
// a node shows of itself, the audit log of what was changed and refused, the key that seals the secrets, and the way back in
// for who has lost theirs. Whether a signature holds and a policy allows is for authorizer to say, and what users are for
// identity: a Gate brings the two together for the node that server builds. It opens no listener and knows of no definition.
package access

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"cleat/internal/awsapi"
	"cleat/internal/datadir"
	"cleat/internal/identity"
	"cleat/internal/store"
)

// Options say how a node keeps who may call it.
type Options struct {
	// SealKey is the sealing key's text, and SealKeyFile a file that it is in. Both empty: the file seal.key of the data
	// directory, which is made at the first start.
	SealKey, SealKeyFile string
	// Audit is where the audit log goes, as eventlog.Open takes it. Empty: the file audit.log of the data directory.
	Audit string
	// Std are what the targets "stdout" and "stderr" mean.
	Std map[string]io.Writer
	// ShowFirstKey is given the administrator's access key that is made at the first start of a node that nobody could call.
	// Where it fails, the node does not start, and the next start makes another. Nil: none is made.
	ShowFirstKey func(awsapi.Credentials) error
}

// OpenSealKey finds the key that seals the secrets of a store, or makes one where there are no secrets yet. Without a data
// directory, and without a key in the options, it is one that lasts as long as the process.
func OpenSealKey(ctx context.Context, s *store.Store, dataDir string, o Options) (identity.SealKey, error) {
	switch {
	case o.SealKey != "":
		key, err := identity.ParseSealKey(o.SealKey)
		if err != nil {
			return key, fmt.Errorf("the sealing key that was given: %w", err)
		}
		return key, nil
	case o.SealKeyFile != "":
		return identity.ReadSealKey(o.SealKeyFile)
	case dataDir == "":
		key, _ := identity.NewSealKey()
		return key, nil
	}
	path := filepath.Join(dataDir, datadir.SealKeyFile)
	key, err := identity.ReadSealKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	n, err := identity.Sealed(ctx, s)
	switch {
	case err != nil:
		return key, err
	case n > 0:
		return key, fmt.Errorf("%s is not there, and without it the %d secrets in the store cannot be opened: put it back from where it is kept, or start over with \"cleat credentials reset-admin\"", path, n)
	}
	return identity.MakeSealKey(path)
}

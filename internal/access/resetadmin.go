package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"cleat/internal/awsapi"
	"cleat/internal/datadir"
	"cleat/internal/identity"
	"cleat/internal/store"
)

// ResetOptions say whose administrator is to be reset.
type ResetOptions struct {
	DataDir string // of a node that is not running
	Region  string // empty: awsapi.DefaultRegion
	Account string // empty: awsapi.DefaultAccount
	Access  Options
	// DiscardKeys takes every user's access keys away and, where the sealing key is the data directory's own, makes a new one,
	// the old one put aside: for a sealing key that is lost.
	DiscardKeys bool
	Log         *slog.Logger
}

// ResetAdmin gives the user admin of a data directory a new access key, which Access.ShowFirstKey is given, in the place of
// those that they had, and a policy that allows everything. It is the way back in for who has lost all keys.
func ResetAdmin(ctx context.Context, o ResetOptions) (err error) {
	o.Region, o.Account = cmp.Or(o.Region, awsapi.DefaultRegion), cmp.Or(o.Account, awsapi.DefaultAccount)
	if _, err := os.Stat(filepath.Join(o.DataDir, datadir.StoreFolder)); err != nil {
		return fmt.Errorf("%q is no data directory of a node: %w", o.DataDir, err)
	}
	s, closeStore, err := datadir.Open(ctx, o.DataDir, o.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	audit, err := OpenAudit(o.DataDir, o.Access, o.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, audit.Close()) }()
	if o.DiscardKeys {
		if err := discardKeys(ctx, s, o); err != nil {
			return err
		}
		audit.Entry(offlineEntry("DiscardKeys", nodeARN(o.Region, o.Account))) //nolint:contextcheck // what was done is written down whatever becomes of ctx
	}
	key, err := OpenSealKey(ctx, s, o.DataDir, o.Access)
	if err != nil {
		return err
	}
	ids := identity.New(s, identity.Options{Region: o.Region, Account: o.Account, Key: key})
	if _, err := ids.Signers(ctx); err != nil { // a node would not start with it
		return fmt.Errorf("%w: put the right one back, or give up all access keys with --discard-keys", err)
	}
	if err := ids.ResetAdmin(ctx, o.Access.ShowFirstKey); err != nil {
		return err
	}
	audit.Entry(offlineEntry("ResetAdmin", nodeARN(o.Region, o.Account))) //nolint:contextcheck // what was done is written down whatever becomes of ctx
	return nil
}

func discardKeys(ctx context.Context, s *store.Store, o ResetOptions) error {
	if _, err := identity.New(s, identity.Options{}).DiscardKeys(ctx); err != nil {
		return fmt.Errorf("take the access keys away: %w", err)
	}
	if o.Access.SealKey != "" || o.Access.SealKeyFile != "" {
		return nil
	}
	path := filepath.Join(o.DataDir, datadir.SealKeyFile)
	err := os.Rename(path, path+"."+time.Now().UTC().Format("20060102T150405Z"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("put the sealing key aside: %w", err)
	}
	return nil
}

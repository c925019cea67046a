package codestore

import "context"

// Unpack is unpack, for the fuzz target: it spares it the syncing of a file each time.
func (s *Store) Unpack(ctx context.Context, file string) (string, error) { return s.unpack(ctx, file) }

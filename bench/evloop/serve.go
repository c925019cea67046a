//go:build linux

package evloop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Serve has a handler serve connections at addr until ctx ends, which is looked at ten times a second. First it writes the
// address, which is of use when the port is 0, and a line's end to out.
func Serve(ctx context.Context, addr string, h Handler, out io.Writer) (err error) {
	loop, err := New(h)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, loop.Close()) }()
	at, err := loop.Listen(addr)
	if err != nil {
		return err
	}
	if err := Pin(); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, at); err != nil {
		return err
	}
	for ctx.Err() == nil {
		if err := loop.Poll(100 * time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

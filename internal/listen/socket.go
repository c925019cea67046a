package listen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"cleat/internal/socket"
)

// DefaultSocketMode lets the owner and the group of a Unix socket connect.
const DefaultSocketMode fs.FileMode = 0o660

// Open listens on an address: "host:port", or "unix:" and the path of a socket, which gets the mode (zero:
// DefaultSocketMode) and is removed when the listener is closed. A socket that a process left behind when it died is
// removed first; one on which somebody still listens, and any other file, is left alone and an error.
func Open(ctx context.Context, address string, mode fs.FileMode) (net.Listener, error) {
	path, unix := strings.CutPrefix(address, "unix:")
	if !unix {
		// Package net is to leave keep-alive alone: it comes from the listening socket (KeepAliveInherited), or else from the
		// hub for those connections that stay.
		ln, err := (&net.ListenConfig{KeepAlive: -1, Control: prepare}).Listen(ctx, "tcp", address)
		if tcp, ok := ln.(*net.TCPListener); ok {
			return socket.NewListener(tcp)
		}
		return ln, err
	}
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if mode == 0 {
		mode = DefaultSocketMode
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(fmt.Errorf("set the mode of the socket: %w", err), ln.Close())
	}
	return ln, nil
}

// prepare sets the options of a socket that is about to listen, as net.ListenConfig.Control.
func prepare(network, address string, raw syscall.RawConn) error {
	return errors.Join(setKeepAlive(network, address, raw), deferAccept(raw))
}

// dialTime bounds the look whether somebody listens on a socket.
const dialTime = time.Second

// removeStale removes a socket on which nobody listens.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is there and is no socket: remove it, or name another path", path)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = c.Close() // it was for the question only
		return fmt.Errorf("another process listens on %s: stop it, or name another path", path)
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("look whether somebody listens on %s: %w", path, err)
	}
	return os.Remove(path)
}

//go:build !linux

package conn

import "errors"

// newEpoll says that there is no epoll here.
func newEpoll(*Hub, int) (engine, error) { return nil, errors.ErrUnsupported }

//go:build !unix

package http1

import "net"

// peek cannot look into sockets on this system: a short read does.
func peek(net.Conn) peeked { return peekUnknown }

package conn

import (
	"crypto/tls"
	"net"
)

// ServerTLS returns the server side of a TLS connection over raw that a Hub can take over without a goroutine: use it
// where tls.Server would be used for connections that may end in Hub.Open. It handshakes, reads, writes and closes like
// any other, until Open hands its descriptor to an event loop; from then on only the Hub may use it. Closing the result
// closes raw.
func ServerTLS(raw net.Conn, cfg *tls.Config) *tls.Conn {
	return tls.Server(&tlsConn{Conn: raw}, cfg)
}

// NetConn returns the connection below, as wrappers do.
func (c *tlsConn) NetConn() net.Conn { return c.Conn }

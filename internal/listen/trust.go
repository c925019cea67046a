package listen

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
)

// Trust says whose word on who a client is counts. The zero value trusts nobody. It is not changed once in use.
type Trust struct {
	// Proxies are the addresses of proxies. IPv4 addresses stand for themselves in IPv6 form too.
	Proxies []netip.Prefix
	// Sockets trusts all who come by a Unix socket: who may connect to it is for the mode of the socket to say.
	Sockets bool
}

// Has tells whether an address is a trusted proxy's.
func (t Trust) Has(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(t.Proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// peer tells whether the other end of a socket is trusted, by its address.
func (t Trust) peer(a net.Addr) bool {
	switch a := a.(type) {
	case *net.TCPAddr:
		return t.Has(a.AddrPort().Addr())
	case *net.UnixAddr:
		return t.Sockets
	}
	return false
}

// requestPeer is peer for the address that a request has. net/http writes the address of a Unix socket's other end as
// its name, which is empty or "@".
func (t Trust) requestPeer(r *http.Request) bool {
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return t.Has(a.Addr())
	}
	return t.Sockets
}

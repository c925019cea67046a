package listen

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// The PROXY protocol, versions 1 and 2, by which a proxy that passes bytes on tells whom it does it for:
//
//	PROXY TCP4 203.0.113.7 198.51.100.1 54321 443\r\n
//	\r\n\r\n\0\r\nQUIT\n | version, command | family | length | addresses | TLVs
//
// Both are read byte by byte up to their end and not beyond it, so that nothing of what follows is held in a buffer: the
// connection that is handed over later must have none.

// origin is what a PROXY header says.
type origin struct {
	client netip.AddrPort // invalid: the header speaks of no other connection (LOCAL, UNKNOWN, AF_UNIX)
	tls    bool           // the client spoke TLS with the proxy
}

var (
	proxySignature = []byte("\r\n\r\n\x00\r\nQUIT\n")
	errProxyHeader = errors.New("no PROXY protocol header")
)

const (
	proxyV1Most  = 107 // bytes of a line, its end included
	proxyV1Least = len("PROXY UNKNOWN\r\n")
	proxyV2Fixed = 16      // bytes ahead of the addresses
	proxyV2Most  = 4 << 10 // bytes behind those: the addresses have 216 at most, and TLVs are small
)

// readProxyHeader reads a header from the beginning of a connection. Anything else is an error that wraps
// errProxyHeader: to guess would let a client of the proxy write its own header.
func readProxyHeader(r io.Reader) (origin, error) {
	var buf [proxyV2Fixed]byte
	head := buf[:proxyV1Least]
	if _, err := io.ReadFull(r, head); err != nil {
		return origin{}, fmt.Errorf("read the PROXY protocol header: %w", err)
	}
	switch {
	case bytes.HasPrefix(head, proxySignature):
		if _, err := io.ReadFull(r, buf[proxyV1Least:]); err != nil {
			return origin{}, fmt.Errorf("read the PROXY protocol header: %w", err)
		}
		return readProxyV2(r, buf[len(proxySignature):])
	case bytes.HasPrefix(head, []byte("PROXY ")):
		return readProxyV1(r, head)
	}
	return origin{}, errProxyHeader
}

func readProxyV1(r io.Reader, head []byte) (origin, error) {
	line := make([]byte, len(head), proxyV1Most)
	copy(line, head)
	for line[len(line)-1] != '\n' {
		if len(line) == proxyV1Most {
			return origin{}, fmt.Errorf("%w: the line does not end", errProxyHeader)
		}
		next := line[len(line) : len(line)+1]
		if _, err := io.ReadFull(r, next); err != nil {
			return origin{}, fmt.Errorf("read the PROXY protocol header: %w", err)
		}
		line = line[:len(line)+1]
	}
	text, ok := strings.CutSuffix(string(line), "\r\n")
	if !ok || strings.ContainsAny(text, "\r\n") {
		return origin{}, fmt.Errorf("%w: the line has no end of its own", errProxyHeader)
	}
	part := strings.Split(text, " ")
	if part[1] == "UNKNOWN" {
		return origin{}, nil // whatever follows is to be ignored
	}
	if len(part) != 6 || part[1] != "TCP4" && part[1] != "TCP6" {
		return origin{}, fmt.Errorf("%w: want PROXY TCP4 or TCP6 with two addresses and two ports", errProxyHeader)
	}
	var ends [2]netip.AddrPort
	for i := range ends {
		a, err := netip.ParseAddr(part[2+i])
		port, portErr := strconv.ParseUint(part[4+i], 10, 16)
		if err != nil || portErr != nil || a.Is4() != (part[1] == "TCP4") || a.Zone() != "" {
			return origin{}, fmt.Errorf("%w: %q is not the end of a %s connection", errProxyHeader, part[2+i]+" "+part[4+i], part[1])
		}
		ends[i] = netip.AddrPortFrom(a.Unmap(), uint16(port))
	}
	return origin{client: ends[0]}, nil
}

// Values of version 2.
const (
	proxyVersion2 = 0x20
	proxyLocal    = 0x0 // the proxy speaks for itself, to see whether we are well
	proxyProxy    = 0x1
	proxyTCP4     = 0x11
	proxyTCP6     = 0x21

	proxyTLVTLS    = 0x20 // PP2_TYPE_SSL
	proxyClientTLS = 0x01 // PP2_CLIENT_SSL, in the TLV's first byte
)

// readProxyV2 reads what follows the signature: fixed are the four bytes behind it.
func readProxyV2(r io.Reader, fixed []byte) (origin, error) {
	command, family, size := fixed[0], fixed[1], int(binary.BigEndian.Uint16(fixed[2:]))
	if command&0xf0 != proxyVersion2 || command&0x0f > proxyProxy {
		return origin{}, fmt.Errorf("%w: version and command 0x%02x", errProxyHeader, command)
	}
	if size > proxyV2Most {
		return origin{}, fmt.Errorf("%w: %d bytes of addresses and TLVs are more than %d", errProxyHeader, size, proxyV2Most)
	}
	rest := make([]byte, size)
	if _, err := io.ReadFull(r, rest); err != nil {
		return origin{}, fmt.Errorf("read the PROXY protocol header: %w", err)
	}
	var width int // of one address
	switch {
	case command&0x0f == proxyLocal:
		return origin{}, nil
	case family == proxyTCP4:
		width = 4
	case family == proxyTCP6:
		width = 16
	default:
		return origin{}, nil // of what cannot be told the receiver uses the real addresses
	}
	if size < 2*width+4 {
		return origin{}, fmt.Errorf("%w: %d bytes hold no addresses of family 0x%02x", errProxyHeader, size, family)
	}
	a, _ := netip.AddrFromSlice(rest[:width]) // 4 or 16 bytes always are one
	o := origin{client: netip.AddrPortFrom(a.Unmap(), binary.BigEndian.Uint16(rest[2*width:]))}
	tlvs := rest[2*width+4:]
	for len(tlvs) > 0 {
		if len(tlvs) < 3 || len(tlvs)-3 < int(binary.BigEndian.Uint16(tlvs[1:])) {
			return origin{}, fmt.Errorf("%w: a TLV goes beyond the end", errProxyHeader)
		}
		value := tlvs[3 : 3+binary.BigEndian.Uint16(tlvs[1:])]
		if tlvs[0] == proxyTLVTLS && len(value) > 0 {
			o.tls = value[0]&proxyClientTLS != 0
		}
		tlvs = tlvs[3+len(value):]
	}
	return o, nil
}

// addr is the client's address as net has it; nil when there is none.
func (o origin) addr() net.Addr {
	if !o.client.IsValid() {
		return nil
	}
	return net.TCPAddrFromAddrPort(o.client)
}

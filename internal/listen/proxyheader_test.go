package listen_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"cleat/internal/listen"
)

var loopback = listen.Trust{Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}

// v2 makes a header of version 2.
func v2(command, family byte, body ...[]byte) string {
	rest := bytes.Join(body, nil)
	head := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), command, family)
	return string(append(binary.BigEndian.AppendUint16(head, uint16(len(rest))), rest...))
}

func ends4() []byte {
	return []byte{203, 0, 113, 7, 198, 51, 100, 1, 0xd4, 0x31, 0x01, 0xbb}
}

func ends6(t *testing.T) []byte {
	t.Helper()
	a, b := netip.MustParseAddr("2001:db8::7").As16(), netip.MustParseAddr("2001:db8::1").As16()
	return append(append(a[:], b[:]...), 0xd4, 0x31, 0x01, 0xbb)
}

// What a proxy says of its client by the PROXY protocol, versions 1 and 2 (its specification, §2.1 and §2.2).
func TestProxyHeader(t *testing.T) {
	t.Parallel()
	tlv := func(kind byte, value ...byte) []byte { return append([]byte{kind, 0, byte(len(value))}, value...) }
	cases := map[string]struct {
		header string
		want   string // the client and how it came; empty: the connection ends
	}{
		"v1 TCP4":                     {"PROXY TCP4 203.0.113.7 198.51.100.1 54321 443\r\n", "203.0.113.7:54321 http"},
		"v1 TCP6":                     {"PROXY TCP6 2001:db8::7 2001:db8::1 54321 443\r\n", "[2001:db8::7]:54321 http"},
		"v1 UNKNOWN":                  {"PROXY UNKNOWN\r\n", "proxy http"},
		"v1 UNKNOWN with more":        {"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", "proxy http"},
		"v1 wrong family":             {"PROXY TCP4 2001:db8::7 2001:db8::1 54321 443\r\n", ""},
		"v1 port of six digits":       {"PROXY TCP4 203.0.113.7 198.51.100.1 654321 443\r\n", ""},
		"v1 one end":                  {"PROXY TCP4 203.0.113.7 54321 443\r\n", ""},
		"v1 line feed alone":          {"PROXY TCP4 203.0.113.7 198.51.100.1 54321 443\n", ""},
		"v1 without end":              {"PROXY TCP4 " + strings.Repeat("1", 200), ""},
		"v1 zone":                     {"PROXY TCP6 fe80::1%eth0 2001:db8::1 54321 443\r\n", ""},
		"v2 TCP4":                     {v2(0x21, 0x11, ends4()), "203.0.113.7:54321 http"},
		"v2 TCP6":                     {v2(0x21, 0x21, ends6(t)), "[2001:db8::7]:54321 http"},
		"v2 TLS":                      {v2(0x21, 0x11, ends4(), tlv(0x04, 1, 2, 3), tlv(0x20, 1, 0, 0, 0, 0)), "203.0.113.7:54321 https"},
		"v2 TLS TLV of plain":         {v2(0x21, 0x11, ends4(), tlv(0x20, 0, 0, 0, 0, 0)), "203.0.113.7:54321 http"},
		"v2 LOCAL":                    {v2(0x20, 0x00), "proxy http"},
		"v2 LOCAL with addresses":     {v2(0x20, 0x11, ends4()), "proxy http"},
		"v2 Unix socket":              {v2(0x21, 0x31, make([]byte, 216)), "proxy http"},
		"v2 short":                    {v2(0x21, 0x11, ends4()[:11]), ""},
		"v2 TLV beyond the end":       {v2(0x21, 0x11, ends4(), []byte{4, 0, 9, 1}), ""},
		"v2 of a later version":       {v2(0x31, 0x11, ends4()), ""},
		"v2 unknown command":          {v2(0x22, 0x11, ends4()), ""},
		"v2 too long":                 {v2(0x21, 0x11, make([]byte, 5000)), ""},
		"none":                        {"", ""},
		"two":                         {"PROXY UNKNOWN\r\nPROXY UNKNOWN\r\n", ""},
		"header of a header's length": {"GET / HTTP/1.1\r\n", ""},
	}
	s := start(t, listen.Options{ProxyProtocol: loopback, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := r.RemoteAddr
		if strings.HasPrefix(who, "127.0.0.1:") {
			who = "proxy"
		}
		scheme := "http"
		if listen.IsHTTPS(r) {
			scheme = "https"
		}
		fmt.Fprintf(w, "%s %s", who, scheme)
	})})
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nc, err := net.Dial("tcp", s.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			fmt.Fprintf(nc, "%sGET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n", c.header)
			answer, _ := io.ReadAll(nc) // a reset is an end too
			_, body, _ := strings.Cut(string(answer), "\r\n\r\n")
			if refused := strings.HasPrefix(string(answer), "HTTP/1.1 400"); body != c.want && (c.want != "" || !refused) {
				t.Errorf("got %q, want %q", answer, c.want)
			}
		})
	}
}

// Who is not trusted has no header to send: it is what a request begins with, and no request.
func TestProxyHeaderOfOthers(t *testing.T) {
	t.Parallel()
	s := start(t, listen.Options{
		ProxyProtocol: listen.Trust{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
		Handler:       http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "served") }),
	})
	for head, want := range map[string]string{"": "HTTP/1.1 200", "PROXY TCP4 203.0.113.7 198.51.100.1 54321 443\r\n": "HTTP/1.1 400"} {
		nc, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(nc, "%sGET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n", head)
		answer, _ := io.ReadAll(nc)
		nc.Close()
		if !strings.HasPrefix(string(answer), want) {
			t.Errorf("%q: got %q, want %s", head, answer, want)
		}
	}
}

// Behind a PROXY header a hijacker gets the socket as it was accepted, with or without TLS, and what the client sent
// behind its request is neither lost nor held by a wrapper: the descriptor can be handed over.
func TestProxyHeaderHandOver(t *testing.T) {
	t.Parallel()
	server, pool := newCertificate(t)
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %t", secure), func(t *testing.T) {
			t.Parallel()
			type taken struct {
				kind, rest string
			}
			got := make(chan taken, 1)
			s := start(t, listen.Options{
				ProxyProtocol: loopback, Plain: true,
				TLS: func(c net.Conn) net.Conn { return tls.Server(c, &tls.Config{Certificates: []tls.Certificate{server}}) },
				Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					c, buffered, err := http.NewResponseController(w).Hijack()
					if err != nil {
						t.Error(err)
						return
					}
					defer c.Close()
					rest := make([]byte, 5)
					_, err = io.ReadFull(buffered, rest)
					if err != nil {
						t.Error(err)
					}
					got <- taken{fmt.Sprintf("%T", c), string(rest)}
				}),
			})
			nc, err := net.Dial("tcp", s.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			request := "GET / HTTP/1.1\r\nHost: a.example\r\n\r\nfirst"
			head := v2(0x21, 0x11, ends4())
			want := taken{"*net.TCPConn", "first"}
			if secure {
				want.kind = "*tls.Conn"
				fmt.Fprint(nc, head)
				fmt.Fprint(tls.Client(nc, &tls.Config{RootCAs: pool, ServerName: "localhost"}), request)
			} else {
				fmt.Fprint(nc, head+request)
			}
			if g := <-got; g != want {
				t.Errorf("got %+v, want %+v", g, want)
			}
		})
	}
}

// FuzzProxyHeader reads headers of any bytes: what is accepted was read to its end and not beyond it, and a client that is
// told has an address of a kind that can be compared.
func FuzzProxyHeader(f *testing.F) {
	f.Add([]byte("PROXY TCP4 203.0.113.7 198.51.100.1 54321 443\r\nGET / HTTP/1.1\r\n"))
	f.Add([]byte("PROXY UNKNOWN\r\n"))
	f.Add([]byte(v2(0x21, 0x11, ends4(), []byte{0x20, 0, 1, 1}) + "GET"))
	f.Add([]byte(v2(0x20, 0x00)))
	f.Add([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bytes.NewReader(b)
		client, secure, err := listen.ReadProxyHeader(in)
		if err != nil {
			if client.IsValid() || secure {
				t.Errorf("an error and a client: %v", client)
			}
			return
		}
		used := b[:len(b)-in.Len()]
		if bytes.HasPrefix(used, []byte("PROXY ")) {
			if !bytes.HasSuffix(used, []byte("\r\n")) || bytes.Count(used, []byte("\n")) != 1 || len(used) > 107 {
				t.Errorf("read %q", used)
			}
		} else if len(used) != 16+int(binary.BigEndian.Uint16(used[14:])) {
			t.Errorf("read %d bytes", len(used))
		}
		if a := client.Addr(); client.IsValid() && (a.Zone() != "" || a.Is4In6()) {
			t.Errorf("client %v", client)
		}
	})
}

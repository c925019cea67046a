package conformance_test

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestSuiteDetects plays every case against a server that believes whatever it is sent. It must fail each case that stands
// for a rule, or that case proves nothing; and pass each that is marked as lax, or the suite asks for more than the RFCs do.
func TestSuiteDetects(t *testing.T) {
	t.Parallel()
	addr := startNaive(t)
	server := target{name: "naive", open: addr, quotas: addr, hasty: true}
	cases := make(chan testCase) // closed below, once all are given out
	var players sync.WaitGroup
	var failed, passed atomic.Int32
	for range 32 { // for most cases wait for what will not come
		players.Go(func() {
			for tc := range cases {
				err := tc.play(server)
				switch {
				case err == nil && !tc.lax:
					t.Errorf("case %s, %s: a server without any check passes it", tc.id, tc.title)
				case err != nil && tc.lax:
					t.Errorf("case %s, %s: %v, where no check is asked for", tc.id, tc.title, err)
				}
				if err != nil {
					failed.Add(1)
				} else {
					passed.Add(1)
				}
			}
		})
	}
	for _, s := range sections() {
		for _, tc := range s.cases {
			cases <- tc
		}
	}
	close(cases)
	players.Wait()
	t.Logf("the naive server passed %d cases and failed %d", passed.Load(), failed.Load())
}

// startNaive runs the naive server until the test ends.
func startNaive(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				_ = naive(c) // however it ends, its client finds out
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		running.Wait()
	})
	return ln.Addr().String()
}

var errEnd = errors.New("closed")

// naive serves one connection: any request is a handshake, any bit and any length is fine, text is whatever it is, and
// all of it goes back as it came.
func naive(c net.Conn) error {
	in := bufio.NewReader(c)
	r, err := http.ReadRequest(in)
	if err != nil {
		return err
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n"
	deflates := strings.Contains(r.Header.Get("Sec-Websocket-Extensions"), "permessage-deflate")
	if deflates {
		answer += "Sec-WebSocket-Extensions: " + plainAnswer + "\r\n"
	}
	if _, err := io.WriteString(c, answer+"\r\n"); err != nil {
		return err
	}
	n := naiveConn{in: in, out: c}
	for {
		if err := n.frame(); err != nil {
			return err
		}
	}
}

type naiveConn struct {
	in         io.Reader
	out        io.Writer
	op         byte
	compressed bool
	message    []byte
}

// naiveMost is where even a naive server stops making room.
const naiveMost = 32 << 20

func (n *naiveConn) frame() error {
	var head [2]byte
	if _, err := io.ReadFull(n.in, head[:]); err != nil {
		return err
	}
	length := int64(head[1] & 0x7f)
	if extra := map[int64]int{126: 2, 127: 8}[length]; extra > 0 {
		var b [8]byte
		if _, err := io.ReadFull(n.in, b[8-extra:]); err != nil {
			return err
		}
		length = int64(binary.BigEndian.Uint64(b[:]))
	}
	if length < 0 || length > naiveMost {
		return errors.New("no room")
	}
	var mask [4]byte
	if head[1]&0x80 != 0 {
		if _, err := io.ReadFull(n.in, mask[:]); err != nil {
			return err
		}
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(n.in, payload); err != nil {
		return err
	}
	for i := range payload {
		payload[i] ^= mask[i&3]
	}
	switch op := head[0] & 0x0f; op {
	case pong:
		return nil
	case ping:
		return n.write(pong, payload)
	case closed:
		return errors.Join(n.write(closed, payload), errEnd)
	case cont:
	default:
		n.op, n.compressed, n.message = op, head[0]&rsv1 != 0, nil
	}
	n.message = append(n.message, payload...)
	if head[0]&fin == 0 {
		return nil
	}
	message := n.message
	n.message = nil
	if n.compressed {
		s, _ := inflate(string(message)) // whatever came of it
		message = []byte(s)
	}
	op := n.op
	for len(message) > frameMost {
		if err := n.raw(op, message[:frameMost]); err != nil {
			return err
		}
		message, op = message[frameMost:], cont
	}
	return n.write(op, message)
}

func (n *naiveConn) write(op byte, payload []byte) error { return n.raw(fin|op, payload) }

func (n *naiveConn) raw(first byte, payload []byte) error {
	form := 0
	switch size := len(payload); {
	case size > 0xffff:
		form = 8
	case size > 125:
		form = 2
	}
	_, err := n.out.Write(long(first, string(payload), form, false))
	return err
}

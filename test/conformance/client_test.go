package conformance_test

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// frameMost is the longest frame that Cleat sends (spec data-plane §3.2).
const frameMost = 32 << 10

// client is the other end of a connection: it sends what it is told and believes nothing that it reads.
type client struct {
	conn     net.Conn
	in       *bufio.Reader
	deflates bool // permessage-deflate was agreed

	messages []want // that came and were not asked for yet
	pongs    []string
	allowed  []want // messages that may be left over at the end
	ended    bool

	op         byte // of the message under way, zero for none
	compressed bool
	part       []byte
}

const (
	sampleKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	sampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" // RFC 6455 §1.3
)

const goodRequest = "GET /chat HTTP/1.1\r\nHost: server.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: " + sampleKey + "\r\nSec-WebSocket-Version: 13\r\n\r\n"

// dial connects, shakes hands as the case says, and checks the answer.
func dial(t target, tc testCase) (*client, error) {
	addr := t.open
	if tc.quotas {
		addr = t.quotas
	}
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	if t.tls {
		nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
	}
	c := &client{conn: nc, in: bufio.NewReader(nc), deflates: tc.agreed != ""}
	if err := errors.Join(nc.SetDeadline(time.Now().Add(t.patience(tc))), c.shake(tc)); err != nil {
		_ = nc.Close()
		return nil, fmt.Errorf("handshake: %w", err)
	}
	return c, nil
}

func (c *client) shake(tc testCase) error {
	request := goodRequest
	if tc.request != "" {
		request = tc.request
	}
	if tc.offer != "" {
		request = strings.TrimSuffix(request, "\r\n") + "Sec-WebSocket-Extensions: " + tc.offer + "\r\n\r\n"
	}
	if _, err := io.WriteString(c.conn, request); err != nil {
		return err
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	want := map[string]string{}
	status := tc.status
	switch status {
	case 0:
		status = http.StatusSwitchingProtocols
		want = map[string]string{
			"Upgrade": "websocket", "Connection": "upgrade", "Sec-Websocket-Accept": sampleAccept,
			"Sec-Websocket-Extensions": tc.agreed, "Sec-Websocket-Protocol": "",
		}
	case http.StatusUpgradeRequired:
		want = map[string]string{"Sec-Websocket-Version": "13", "Upgrade": "websocket"}
	}
	if res.StatusCode != status {
		return fmt.Errorf("got status %d, want %d", res.StatusCode, status)
	}
	for name, value := range want {
		if got := res.Header.Get(name); !strings.EqualFold(got, value) {
			return fmt.Errorf("got %s: %q, want %q", name, got, value)
		}
	}
	return nil
}

// send writes bytes, chop at a time. It ignores errors: a server that ends the connection before it has read everything
// may be right, and what it says is still to be read.
func (c *client) send(b []byte, chop int, wait time.Duration) {
	if chop == 0 {
		chop = len(b)
	}
	for piece := range slices.Chunk(b, chop) {
		if _, err := c.conn.Write(piece); err != nil {
			return
		}
		time.Sleep(wait)
	}
}

func (c *client) wantMessage(w want) error {
	for len(c.messages) == 0 {
		if err := c.read(); err != nil {
			return err
		}
		if c.ended {
			return errTooEarly
		}
	}
	got := c.messages[0]
	c.messages = c.messages[1:]
	if got.op != w.op || got.payload != w.payload {
		return fmt.Errorf("got opcode %d with %d bytes %.40q", got.op, len(got.payload), got.payload)
	}
	return nil
}

func (c *client) wantPong(w want) error {
	for len(c.pongs) == 0 {
		if err := c.read(); err != nil {
			return err
		}
		if c.ended {
			return errTooEarly
		}
	}
	got := c.pongs[0]
	if c.pongs = c.pongs[1:]; got != w.payload {
		return fmt.Errorf("got pong %.40q", got)
	}
	return nil
}

// wantEnd reads the close frame and the end of the connection behind it.
func (c *client) wantEnd(w want) error {
	var code []int
	for !c.ended {
		var err error
		if code, err = c.readFrame(); err != nil {
			return err
		}
	}
	switch {
	case len(w.codes) == 0 && len(code) != 0:
		return fmt.Errorf("got close code %d", code[0])
	case len(w.codes) != 0 && (len(code) == 0 || !slices.Contains(w.codes, code[0])):
		return fmt.Errorf("got close code %v", code)
	}
	for _, m := range c.messages {
		if !slices.ContainsFunc(c.allowed, func(a want) bool { return a.op == m.op && a.payload == m.payload }) {
			return fmt.Errorf("a message came that nobody expected: %.40q", m.payload)
		}
	}
	if len(c.pongs) > 0 {
		return fmt.Errorf("a pong came that nobody expected: %.40q", c.pongs[0])
	}
	if b, err := c.in.ReadByte(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("got byte %#x and error %w behind the close frame", b, err)
	}
	return nil
}

func (c *client) read() error {
	_, err := c.readFrame()
	return err
}

// readFrame reads one frame, and checks all that RFC 6455 §5 and RFC 7692 §6 ask of a server's. It returns the code of a
// close frame that has one.
func (c *client) readFrame() (code []int, err error) {
	var head [2]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return nil, fmt.Errorf("no frame: %w", err)
	}
	first, op := head[0], head[0]&0x0f
	length := uint64(head[1] & 0x7f)
	switch length {
	case 126:
		var b [2]byte
		if _, err := io.ReadFull(c.in, b[:]); err != nil {
			return nil, err
		}
		if length = uint64(binary.BigEndian.Uint16(b[:])); length < 126 {
			return nil, fmt.Errorf("length %d in two bytes", length)
		}
	case 127:
		var b [8]byte
		if _, err := io.ReadFull(c.in, b[:]); err != nil {
			return nil, err
		}
		if length = binary.BigEndian.Uint64(b[:]); length <= 0xffff {
			return nil, fmt.Errorf("length %d in eight bytes", length)
		}
	}
	switch {
	case head[1]&0x80 != 0:
		return nil, errors.New("a masked frame")
	case first&(rsv2|rsv3) != 0, first&rsv1 != 0 && (!c.deflates || op != text && op != bin):
		return nil, fmt.Errorf("reserved bits in %#x", first)
	case op&8 != 0 && (first&fin == 0 || length > 125):
		return nil, fmt.Errorf("a control frame %#x of %d bytes", first, length)
	case length > frameMost:
		return nil, fmt.Errorf("a frame of %d bytes", length)
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(c.in, payload); err != nil {
		return nil, err
	}
	switch op {
	case text, bin, cont:
		return nil, c.data(first, payload)
	case pong:
		c.pongs = append(c.pongs, string(payload))
	case ping:
		c.send(fr(fin|pong, string(payload)), 0, 0)
	case closed:
		c.ended = true
		return closeCode(payload)
	default:
		return nil, fmt.Errorf("opcode %d", op)
	}
	return nil, nil
}

func (c *client) data(first byte, payload []byte) error {
	if op := first & 0x0f; (op == cont) != (c.op != 0) {
		return fmt.Errorf("a frame with opcode %d within a message of opcode %d", op, c.op)
	} else if op != cont {
		c.op, c.compressed, c.part = op, first&rsv1 != 0, nil
	}
	c.part = append(c.part, payload...)
	if first&fin == 0 {
		return nil
	}
	m := want{kind: message, op: c.op, payload: string(c.part)}
	c.op = 0
	if c.compressed {
		var err error
		if m.payload, err = inflate(m.payload); err != nil {
			return fmt.Errorf("inflate a message: %w", err)
		}
	}
	if m.op == text && !utf8.ValidString(m.payload) {
		return fmt.Errorf("text that is not UTF-8: %.40q", m.payload)
	}
	c.messages = append(c.messages, m)
	return nil
}

func closeCode(payload []byte) ([]int, error) {
	switch {
	case len(payload) == 0:
		return nil, nil
	case len(payload) == 1:
		return nil, errors.New("a close frame with one byte")
	case !utf8.Valid(payload[2:]):
		return nil, errors.New("a close reason that is not UTF-8")
	}
	code := int(binary.BigEndian.Uint16(payload))
	if code < 1000 || code > 4999 || code >= 1004 && code <= 1006 || code >= 1015 && code <= 2999 {
		return nil, fmt.Errorf("close code %d", code)
	}
	return []int{code}, nil
}

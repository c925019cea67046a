//go:build soak

package soak_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"cleat/internal/frame"
)

// kind is a way for a client to behave.
type kind struct {
	name   string
	weight int
	codes  []int // what its $disconnect may say
	offer  string
	live   func(c *client) error
}

// state is what a client knows of its connection's beginning.
type state int

const (
	unclear  state = iota // it went before there was an answer
	accepted              // 101
	refused               // any other answer
)

// outcome is what became of a client.
type outcome struct {
	n       int
	kind    string
	state   state
	reached bool // it sent a whole request, and waited for the answer
	codes   []int
}

func (o outcome) allows(code int) bool { return slices.Contains(o.codes, code) }

// client is one of the crowd.
type client struct {
	*ground
	n    int
	kind *kind
	rng  *rand.Rand

	conn     net.Conn
	tcp      *net.TCPConn
	in       *bufio.Reader
	state    state
	deflates bool
	code     int // what it closed with itself, zero for what its kind says
	asked    int
}

// patience bounds every wait of a client. It is long: the machine may be busy.
const patience = 30 * time.Second

// stays connects and speaks now and then, until the end.
var stays = &kind{name: "stay", codes: []int{1001}, live: (*client).stay}

// kinds are those that come and go. Each violation ends with the code that RFC 6455 §7.4.1 or AWS's quotas have for it.
var kinds = sync.OnceValue(func() []*kind {
	all := []*kind{
		{name: "talk and close", weight: 30, live: (*client).talk},
		{name: "talk compressed", weight: 10, offer: "permessage-deflate; client_max_window_bits", live: (*client).talk},
		{name: "close without a code", weight: 5, codes: []int{1005}, live: (*client).leaveWithoutCode},
		{name: "deleted", weight: 5, codes: []int{1000}, live: (*client).deleted},
		{name: "pushed to", weight: 10, codes: []int{1000}, live: (*client).pushedTo},
		{name: "pause reading", weight: 4, codes: []int{1000}, live: (*client).pause},
		{name: "stop reading", weight: 1, codes: []int{1006}, live: (*client).stall},
		{name: "vanish: reset", weight: 10, codes: []int{1006}, live: (*client).reset},
		{name: "vanish: end of file", weight: 10, codes: []int{1006}, live: (*client).hangUp},
		{name: "vanish within a message", weight: 5, codes: []int{1006}, live: (*client).vanishWithin},
		{name: "vanish with answers under way", weight: 5, codes: []int{1006}, live: (*client).vanishBusy},
		{name: "refused", weight: 10},
		{name: "impatient", weight: 5},
		{name: "half a request", weight: 3},
	}
	mask := func(first byte, payload string) []byte {
		b := frame.AppendMasked(nil, frame.OpText, true, [4]byte{1, 2, 3, 4}, []byte(payload))
		b[0] = first
		return b
	}
	for _, v := range []struct {
		name string
		code int
		sent []byte
	}{
		{"unmasked frame", 1002, []byte{0x81, 1, 'x'}},
		{"reserved bit", 1002, mask(0xa1, "x")},
		{"reserved opcode", 1002, mask(0x83, "x")},
		{"long control frame", 1002, []byte{0x89, 0xfe}},
		{"fragmented control frame", 1002, mask(0x09, "x")},
		{"continuation without a message", 1002, mask(0x80, "x")},
		{"message within a message", 1002, append(mask(0x01, "a"), mask(0x81, "b")...)},
		{"length not in its shortest form", 1002, []byte{0x81, 0xfe, 0, 5}},
		{"close code 1005", 1002, mask(0x88, "\x03\xed")},
		{"close frame of one byte", 1002, mask(0x88, "x")},
		{"text that is not UTF-8", 1007, mask(0x81, "\xc0\xaf")},
		{"close reason that is not UTF-8", 1007, mask(0x88, "\x03\xe8\xff")},
		{"binary message", 1003, mask(0x82, "x")},
		{"frame too long", 1009, mask(0x81, strings.Repeat("x", 32<<10+1))},
		{"message too long", 1009, append(append(mask(0x01, strings.Repeat("x", 32<<10)), bytes.Repeat(mask(0x00, strings.Repeat("x", 32<<10)), 3)...), mask(0x80, "x")...)},
	} {
		all = append(all, &kind{name: "violate: " + v.name, weight: 1, codes: []int{v.code}, live: func(c *client) error { return c.violate(v.sent, v.code) }})
	}
	const offer = "permessage-deflate"
	for name, v := range map[string]struct {
		code int
		sent []byte
	}{"no DEFLATE stream": {1007, mask(0xc1, "\xff\xff")}, "bomb": {1009, mask(0xc1, deflate(strings.Repeat("x", 1<<20)))}} {
		all = append(all, &kind{name: "violate: " + name, weight: 1, offer: offer, codes: []int{v.code}, live: func(c *client) error { return c.violate(v.sent, v.code) }})
	}
	slices.SortFunc(all, func(a, b *kind) int { return strings.Compare(a.name, b.name) }) // a map has no order, choices must
	return all
})

func deflate(s string) string {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		panic(err) // the level exists
	}
	_, _ = io.WriteString(w, s) // a bytes.Buffer takes everything
	_ = w.Flush()
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// live is a client's whole life.
func (c *client) live() outcome {
	err := c.connect()
	if err == nil && c.state == accepted && c.kind.live != nil {
		err = c.kind.live(c)
	}
	if c.conn != nil {
		_ = c.conn.Close() // most have ended it already
	}
	if err != nil {
		c.fault("client %d, %s: %v", c.n, c.kind.name, err)
	}
	o := outcome{c.n, c.kind.name, c.state, c.kind.name != "half a request" && c.kind.name != "impatient", c.kind.codes}
	if c.code != 0 {
		o.codes = []int{c.code}
	}
	return o
}

// connect dials from one of several addresses, so that ports do not run out, a tenth of the time over TLS, and shakes hands.
func (c *client) connect() error {
	d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+c.n%8))}}
	nc, err := d.Dial("tcp", c.addr)
	if err != nil {
		return err
	}
	c.conn = nc
	c.tcp, _ = nc.(*net.TCPConn)
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if c.rng.IntN(10) == 0 && c.kind.name != "half a request" {
		c.conn = tls.Client(nc, &tls.Config{InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519}}) // the cheaper exchange
	}
	if c.kind.name == "stop reading" {
		if err := c.tcp.SetReadBuffer(4 << 10); err != nil {
			return err
		}
	}
	as := url.QueryEscape(c.kind.name)
	head := fmt.Sprintf("GET /dev?n=%d&as=%s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", c.n, as, c.addr)
	if c.kind.offer != "" {
		head += "Sec-WebSocket-Extensions: " + c.kind.offer + "\r\n"
	}
	if c.kind.name == "half a request" {
		_, err := io.WriteString(c.conn, head)
		return err
	}
	if _, err := io.WriteString(c.conn, head+"\r\n"); err != nil {
		return err
	}
	if c.kind.name == "impatient" {
		time.Sleep(time.Duration(c.rng.IntN(60)) * time.Millisecond)
		return nil
	}
	c.in = bufio.NewReaderSize(c.conn, 1<<10)
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	c.state, c.deflates = refused, res.Header.Get("Sec-Websocket-Extensions") != ""
	want := http.StatusSwitchingProtocols
	if c.kind.name == "refused" {
		want = http.StatusForbidden
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		c.state = accepted
	}
	if res.StatusCode != want || c.deflates != (c.kind.offer != "") {
		return fmt.Errorf("handshake: got status %d, extensions %v", res.StatusCode, c.deflates)
	}
	return nil
}

// stay speaks now and then until the end, and leaves with 1001 as a browser does.
func (c *client) stay() error {
	for {
		next := time.Now().Add(time.Duration(20+c.rng.IntN(60)) * time.Second)
		if !next.Before(c.end) {
			break
		}
		time.Sleep(time.Until(next))
		if err := c.ask(0); err != nil {
			return err
		}
	}
	time.Sleep(time.Until(c.end) + time.Duration(c.rng.IntN(int(share*5000)))*time.Millisecond) // not all in the same moment
	return c.leave(1001)
}

// talk asks a few things and leaves, with any code.
func (c *client) talk() error {
	for range 1 + c.rng.IntN(10) {
		if err := c.ask([]int{0, 10, 1000, 50_000}[c.rng.IntN(4)]); err != nil {
			return err
		}
		time.Sleep(time.Duration(c.rng.IntN(500)) * time.Millisecond)
	}
	c.code = []int{1000, 1001, 1011, 3000, 4000, 4999}[c.rng.IntN(6)]
	return c.leave(c.code)
}

func (c *client) leaveWithoutCode() error {
	if err := c.ask(0); err != nil {
		return err
	}
	if err := c.write(frame.OpClose, ""); err != nil {
		return err
	}
	return c.ended(0)
}

// deleted asks for its own ID and has the connection deleted by the management API.
func (c *client) deleted() error {
	id, err := c.whoAmI()
	if err != nil {
		return err
	}
	if err := c.manage(http.MethodDelete, id, "", http.StatusNoContent); err != nil {
		return err
	}
	return c.ended(1000)
}

// pushedTo has somebody push to it.
func (c *client) pushedTo() error {
	id, err := c.whoAmI()
	if err != nil {
		return err
	}
	for i := range 1 + c.rng.IntN(5) {
		text := fmt.Sprintf("push %d %s", i, strings.Repeat("y", c.rng.IntN(2000)))
		if err := c.manage(http.MethodPost, id, text, http.StatusOK); err != nil {
			return err
		}
		if got, err := c.read(); err != nil || got != text {
			return fmt.Errorf("got push %.40q, %w", got, err)
		}
		c.pushes.Add(1)
	}
	return c.leave(1000)
}

func (c *client) whoAmI() (string, error) {
	if err := c.write(frame.OpText, "0 who"); err != nil {
		return "", err
	}
	text, err := c.read()
	if err != nil {
		return "", err
	}
	var r reply
	if err := json.Unmarshal([]byte(text), &r); err != nil || len(r.ID) != 16 {
		return "", fmt.Errorf("got reply %.60q, %w", text, err)
	}
	return r.ID, nil
}

func (c *client) manage(method, id, body string, want int) error {
	req, err := http.NewRequest(method, "http://"+c.addr+"/dev/@connections/"+url.PathEscape(id), strings.NewReader(body))
	if err != nil {
		return err
	}
	res, err := managers.Do(req)
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	if res.StatusCode != want {
		return fmt.Errorf("%s %s: got status %d, want %d", method, id, res.StatusCode, want)
	}
	return nil
}

// managers call the management API. They keep no connection, so that none is left to count.
var managers = &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}

// pause does not read for a while, and finds everything there when it does.
func (c *client) pause() error {
	const asked = 5
	for range asked {
		if err := c.write(frame.OpText, "20000 paused"); err != nil {
			return err
		}
	}
	time.Sleep(time.Duration(500+c.rng.IntN(1500)) * time.Millisecond)
	for range asked {
		if _, err := c.read(); err != nil {
			return err
		}
	}
	return c.leave(1000)
}

// stall asks for more than the sockets and the write queue hold and never reads.
func (c *client) stall() error {
	for range 40 {
		if err := c.write(frame.OpText, "100000 stalled"); err != nil {
			return nil //nolint:nilerr // the gateway has given up, as it should
		}
	}
	// The gateway gives up 3 s after its queue began to fill, and resets what is unread.
	time.Sleep(10 * time.Second)
	return nil
}

func (c *client) reset() error {
	if err := c.ask(10); err != nil {
		return err
	}
	return errors.Join(c.tcp.SetLinger(0), c.tcp.Close())
}

func (c *client) hangUp() error {
	if err := c.ask(10); err != nil {
		return err
	}
	return c.tcp.Close()
}

func (c *client) vanishWithin() error {
	b := frame.AppendMasked(nil, frame.OpText, c.rng.IntN(2) == 0, [4]byte{9, 8, 7, 6}, make([]byte, 1+c.rng.IntN(30_000)))
	if _, err := c.conn.Write(b[:c.rng.IntN(len(b))]); err != nil {
		return err
	}
	return c.tcp.Close()
}

func (c *client) vanishBusy() error {
	for range 1 + c.rng.IntN(20) {
		if err := c.write(frame.OpText, "50000 gone"); err != nil {
			return err
		}
	}
	return errors.Join(c.tcp.SetLinger(0), c.tcp.Close())
}

// violate sends what must not be sent, now and then behind a good message, and expects the close frame.
func (c *client) violate(sent []byte, code int) error {
	if c.rng.IntN(2) == 0 {
		if err := c.ask(0); err != nil {
			return err
		}
	}
	if _, err := c.conn.Write(sent); err != nil {
		return err
	}
	return c.ended(code)
}

// ask sends a message and expects its answer.
func (c *client) ask(pad int) error {
	c.asked++
	text := fmt.Sprintf("%d question %d of client %d", pad, c.asked, c.n)
	if err := c.write(frame.OpText, text); err != nil {
		return err
	}
	got, err := c.read()
	if err != nil {
		return err
	}
	var r reply
	if err := json.Unmarshal([]byte(got), &r); err != nil || r.Echo != text || len(r.Pad) != pad {
		return fmt.Errorf("asked %q, got %.60q", text, got)
	}
	return nil
}

func (c *client) write(op frame.Opcode, payload string) error {
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	compress := c.deflates && op == frame.OpText && c.rng.IntN(2) == 0
	if compress {
		payload = deflate(payload)
	}
	b := frame.AppendMasked(nil, op, true, [4]byte{byte(c.n), 2, 3, 4}, []byte(payload))
	if compress {
		b[0] |= 0x40
	}
	_, err := c.conn.Write(b)
	return err
}

// read returns the next message.
func (c *client) read() (string, error) {
	var message []byte
	compressed := false
	for {
		h, payload, err := c.frame()
		if err != nil {
			return "", err
		}
		if h.OpCode.IsControl() {
			return "", fmt.Errorf("got opcode %d with %.40q", h.OpCode, payload)
		}
		compressed = compressed || h.Rsv1()
		message = append(message, payload...)
		if !h.Fin {
			continue
		}
		if compressed {
			message, err = io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(message), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))))
		}
		return string(message), err
	}
}

func (c *client) frame() (ws.Header, []byte, error) {
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return ws.Header{}, nil, err
	}
	h, err := ws.ReadHeader(c.in)
	if err != nil {
		return h, nil, fmt.Errorf("no frame: %w", err)
	}
	payload := make([]byte, h.Length)
	_, err = io.ReadFull(c.in, payload)
	return h, payload, err
}

// leave closes with a code, and expects it back.
func (c *client) leave(code int) error {
	if err := c.write(frame.OpClose, string(binary.BigEndian.AppendUint16(nil, uint16(code)))); err != nil {
		return err
	}
	return c.ended(code)
}

// ended expects a close frame, with a code unless it is zero, and the end of the connection.
func (c *client) ended(code int) error {
	h, payload, err := c.frame()
	if err != nil {
		return err
	}
	got := 0
	if len(payload) > 1 {
		got = int(binary.BigEndian.Uint16(payload))
	}
	if h.OpCode != ws.OpClose || got != code {
		return fmt.Errorf("got opcode %d with %.40q, want close %d", h.OpCode, payload, code)
	}
	if c.rng.IntN(2) == 0 {
		return nil // who was refused goes without a word as often as not
	}
	if _, err := c.in.ReadByte(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("behind the close frame: %w", err)
	}
	return nil
}

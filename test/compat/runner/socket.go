package runner

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// socket is one client's connection: bytes first, WebSocket frames after the handshake. It reads only when the script
// does. It is used by one goroutine.
type socket struct {
	net.Conn

	in      *bufio.Reader
	partial []byte // of a fragmented message
	partOp  ws.OpCode
	sizes   []int // of the frames of the message, so far
}

const dialTime = 5 * time.Second

// dial connects to an endpoint such as ws://host:port.
func dial(ctx context.Context, secure bool, address string, config *tls.Config) (*socket, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if secure {
		t := tls.Client(c, config)
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, c.Close())
		}
		c = t
	}
	return &socket{Conn: c, in: bufio.NewReader(c)}, nil
}

// answer is an HTTP answer.
type answer struct {
	status int
	header http.Header
	body   string
}

// readAnswer reads the answer to a request of a method.
func (s *socket) readAnswer(method string, within time.Duration) (*answer, error) {
	if err := s.SetReadDeadline(time.Now().Add(within)); err != nil {
		return nil, err
	}
	res, err := http.ReadResponse(s.in, &http.Request{Method: method})
	if err != nil {
		return nil, err
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		return &answer{res.StatusCode, res.Header, ""}, nil
	}
	body, err := io.ReadAll(res.Body)
	return &answer{res.StatusCode, res.Header, string(body)}, errors.Join(err, res.Body.Close())
}

// heard is something that came from the server.
type heard struct {
	op      ws.OpCode
	payload []byte
	code    int // of a close frame; 1005 when it has none
	eof     bool
}

func (h *heard) String() string {
	switch {
	case h == nil:
		return "nothing"
	case h.eof:
		return "the end of the connection"
	case h.op == ws.OpClose:
		return fmt.Sprintf("close %d %s", h.code, h.payload)
	case h.op == ws.OpText:
		return "text " + string(h.payload)
	case h.op == ws.OpBinary:
		return fmt.Sprintf("binary %q", h.payload)
	case h.op == ws.OpPing:
		return "ping " + string(h.payload)
	}
	return "pong " + string(h.payload)
}

var (
	errNothing = errors.New("nothing came")
	errServer  = errors.New("the server broke RFC 6455")
)

// hear reads the next message or control frame. errNothing: the time is over. A broken connection is heard as its end.
func (s *socket) hear(within time.Duration) (*heard, error) {
	if err := s.SetReadDeadline(time.Now().Add(within)); err != nil {
		return nil, err
	}
	for {
		if _, err := s.in.Peek(1); err != nil {
			return ended(err)
		}
		h, err := ws.ReadHeader(s.in)
		if err != nil {
			return ended(err)
		}
		if h.Masked || h.Rsv != 0 || h.Length > 16<<20 || h.OpCode.IsControl() && (!h.Fin || h.Length > 125) {
			return nil, fmt.Errorf("%w: frame header %+v", errServer, h)
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(s.in, payload); err != nil {
			return ended(err)
		}
		if !h.OpCode.IsControl() {
			if payload, err = s.assemble(h, payload); payload == nil && err == nil {
				continue
			} else if err != nil {
				return nil, err
			}
			return &heard{op: s.partOp, payload: payload}, nil
		}
		out := &heard{op: h.OpCode, payload: payload}
		if h.OpCode == ws.OpClose {
			code, reason := ws.ParseCloseFrameData(payload)
			out.code, out.payload = int(code), []byte(reason)
			if len(payload) == 0 {
				out.code = int(ws.StatusNoStatusRcvd)
			}
		}
		return out, nil
	}
}

// assemble returns a whole message, nil while it has more frames to come.
func (s *socket) assemble(h ws.Header, payload []byte) ([]byte, error) {
	if (h.OpCode == ws.OpContinuation) != (s.partial != nil) {
		return nil, fmt.Errorf("%w: opcode %d does not follow", errServer, h.OpCode)
	}
	if s.partial == nil {
		s.partOp, s.partial, s.sizes = h.OpCode, []byte{}, nil
	}
	s.partial, s.sizes = append(s.partial, payload...), append(s.sizes, len(payload))
	if !h.Fin {
		return nil, nil
	}
	whole := s.partial
	s.partial = nil
	if s.partOp == ws.OpText && !utf8.Valid(whole) {
		return nil, fmt.Errorf("%w: a text message that is not UTF-8: %q", errServer, whole)
	}
	return whole, nil
}

func ended(err error) (*heard, error) {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return nil, errNothing
	}
	return &heard{eof: true}, nil //nolint:nilerr // however a connection ends, the script says what it expects
}

// writeFrame sends a frame as the client's side does, or as it must not.
func (s *socket) writeFrame(final, masked bool, opcode, rsv byte, length int64, payload []byte) error {
	if length < 0 {
		length = int64(len(payload))
	}
	h := ws.Header{Fin: final, Rsv: rsv, OpCode: ws.OpCode(opcode), Masked: masked, Length: length}
	data := payload
	if masked {
		h.Mask = [4]byte{0x12, 0x34, 0x56, 0x78}
		data = append([]byte(nil), payload...)
		ws.Cipher(data, h.Mask, 0)
	}
	var head strings.Builder
	if err := ws.WriteHeader(&head, h); err != nil {
		return err
	}
	return s.send([]byte(head.String() + string(data)))
}

func (s *socket) send(b []byte) error {
	if err := s.SetWriteDeadline(time.Now().Add(dialTime)); err != nil {
		return err
	}
	_, err := s.Write(b)
	return err
}

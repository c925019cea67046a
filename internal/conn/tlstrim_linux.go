package conn

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"reflect"
	"time"
	"unsafe"
)

// tlsTrim lets crypto/tls read into a borrowed buffer and takes it back, so that an idle connection keeps none (it would
// keep several kilobytes: golang/go#43563). It reaches for unexported fields, whose places and types it looks up when it
// is made and tries out; when anything is not as expected its zero value is used, which does nothing, and buffers stay
// with their connections.
type tlsTrim struct {
	on                    bool
	rawInput, input, hand uintptr // offsets in tls.Conn
}

// newTLSTrim returns a tlsTrim that works with the crypto/tls of this build, or one that does nothing and why.
func newTLSTrim() (tlsTrim, error) {
	var t tlsTrim
	err := errors.Join(
		offset(&t.rawInput, "rawInput", reflect.TypeFor[bytes.Buffer]()),
		offset(&t.input, "input", reflect.TypeFor[bytes.Reader]()),
		offset(&t.hand, "hand", reflect.TypeFor[bytes.Buffer]()),
	)
	if err != nil {
		return tlsTrim{}, err
	}
	t.on = true
	if err := t.try(); err != nil {
		return tlsTrim{}, fmt.Errorf("trimming crypto/tls: %w", err)
	}
	return t, nil
}

func offset(to *uintptr, name string, typ reflect.Type) error {
	f, ok := reflect.TypeFor[tls.Conn]().FieldByName(name)
	if !ok || f.Type != typ || len(f.Index) != 1 {
		return fmt.Errorf("trimming crypto/tls: tls.Conn has no %s of type %s", name, typ)
	}
	*to = f.Offset
	return nil
}

func field[T any](c *tls.Conn, offset uintptr) *T {
	return (*T)(unsafe.Add(unsafe.Pointer(c), offset)) //nolint:gosec // G103: see tlsTrim
}

// lend gives a connection an empty buffer for records, with what it has of one put in front.
func (t tlsTrim) lend(c *tls.Conn, buf []byte) {
	if !t.on {
		return
	}
	raw := field[bytes.Buffer](c, t.rawInput)
	*raw = *bytes.NewBuffer(append(buf, raw.Bytes()...))
}

// takeBack leaves a connection no more memory than for the bytes it still needs. All plaintext must have been read.
func (t tlsTrim) takeBack(c *tls.Conn) {
	if !t.on {
		return
	}
	raw := field[bytes.Buffer](c, t.rawInput)
	if raw.Len() == 0 {
		*raw = bytes.Buffer{}
	} else {
		*raw = *bytes.NewBuffer(bytes.Clone(raw.Bytes()))
	}
	if input := field[bytes.Reader](c, t.input); input.Len() == 0 {
		*input = bytes.Reader{} // points into the borrowed buffer
	}
	if hand := field[bytes.Buffer](c, t.hand); hand.Len() == 0 {
		*hand = bytes.Buffer{}
	}
}

// try reads two messages over a connection in memory, whose bytes come one by one, with the buffer lent and taken back
// around each: so every field is exercised within and between records.
func (t tlsTrim) try() error {
	cert, err := tryCertificate()
	if err != nil {
		return err
	}
	clientEnd, serverEnd := net.Pipe()
	defer func() { _, _ = clientEnd.Close(), serverEnd.Close() }() // a pipe's Close returns nil
	deadline := time.Now().Add(tryTimeout)
	if err := errors.Join(clientEnd.SetDeadline(deadline), serverEnd.SetDeadline(deadline)); err != nil {
		return err
	}
	client := tls.Client(clientEnd, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}) //nolint:gosec // G402: both ends are here
	feed := &drip{Conn: serverEnd}
	server := tls.Server(feed, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13})
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	shaken := make(chan error, 1)
	go func() { shaken <- server.HandshakeContext(ctx) }()
	if err := errors.Join(client.HandshakeContext(ctx), <-shaken); err != nil {
		return err
	}
	// From here on the server reads what the client wrote into sealed, bit by bit.
	const message = "twenty-two bytes, twice"
	var sealed bytes.Buffer
	collected := make(chan error, 1)
	go func() {
		_, err := client.Write([]byte(message))
		collected <- errors.Join(err, clientEnd.Close())
	}()
	if _, err := io.Copy(&sealed, serverEnd); err != nil {
		return err
	}
	if err := <-collected; err != nil {
		return err
	}
	feed.dripping = true
	var got []byte
	lent, plain := make([]byte, 0, 32<<10), make([]byte, tlsPlainSize)
	for _, b := range sealed.Bytes() {
		feed.next = append(feed.next, b)
		t.lend(server, lent)
		n, err := server.Read(plain)
		t.takeBack(server)
		clear(lent[:cap(lent)]) // somebody else's bytes, by now
		if err != nil && !errors.Is(err, errAgain) {
			return err
		}
		got = append(got, plain[:n]...)
	}
	if string(got) != message || field[bytes.Buffer](server, t.rawInput).Cap() != 0 {
		return errors.New("a message did not survive it")
	}
	return nil
}

// tryTimeout bounds the handshake in memory, which takes about a millisecond.
const tryTimeout = 10 * time.Second

// drip is a connection that, once dripping, reads what next holds and has no more at hand.
type drip struct {
	net.Conn
	dripping bool
	next     []byte
}

func (d *drip) Read(p []byte) (int, error) {
	switch {
	case !d.dripping:
		return d.Conn.Read(p)
	case len(d.next) == 0:
		return 0, errAgain
	}
	n := copy(p, d.next)
	d.next = d.next[n:]
	return n, nil
}

func tryCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

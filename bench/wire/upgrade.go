package wire

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // G505: RFC 6455 asks for it
	"encoding/base64"
	"errors"
	"fmt"
)

// request is the upgrade of RFC 6455 §4.1, with the headers that a browser sends, more or less.
const request = "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n" +
	"Upgrade: websocket\r\nOrigin: http://%s\r\nSec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-GB,en;q=0.9\r\nSec-WebSocket-Key: %s\r\n"

// key is client number n's Sec-WebSocket-Key: each has its own, for serverless-offline tells connections apart by it.
func key(n int) string { return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%016d", n)) }

// accept answers that key (RFC 6455 §4.2.2).
func accept(n int) string {
	sum := sha1.Sum([]byte(key(n) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // G401: RFC 6455 asks for it
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Upgrade is the request by which client number n asks for WebSocket. lines are further header lines.
func Upgrade(n int, addr, path string, lines []string) []byte {
	b := fmt.Appendf(nil, request, path, addr, addr, key(n))
	for _, line := range lines {
		b = append(append(b, line...), "\r\n"...)
	}
	return append(b, "\r\n"...)
}

// Switched reads the answer to the upgrade of that client. n is how many bytes it has, 0 when it is not whole yet.
func Switched(client int, b []byte) (n int, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, nil
	}
	line, _, _ := bytes.Cut(b, []byte("\r\n"))
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 101")) {
		return 0, fmt.Errorf("the server answers an upgrade by %q", line)
	}
	if !bytes.Contains(b[:end], []byte(accept(client))) {
		return 0, errors.New("the server's Sec-WebSocket-Accept is wrong or missing")
	}
	return end + 4, nil
}

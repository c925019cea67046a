package wire

import (
	"bytes"
	"errors"
	"fmt"
)

// request is the upgrade of RFC 6455 §4.1, with the headers that a browser sends, more or less.
const request = "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n" +
	"Upgrade: websocket\r\nOrigin: http://%s\r\nSec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-GB,en;q=0.9\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// accept answers that request's key.
const accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

// Upgrade is the request by which a client asks for WebSocket. lines are further header lines.
func Upgrade(addr, path string, lines []string) []byte {
	b := fmt.Appendf(nil, request, path, addr, addr)
	for _, line := range lines {
		b = append(append(b, line...), "\r\n"...)
	}
	return append(b, "\r\n"...)
}

// Switched reads the answer to an upgrade. n is how many bytes it has, 0 when it is not whole yet.
func Switched(b []byte) (n int, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, nil
	}
	line, _, _ := bytes.Cut(b, []byte("\r\n"))
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 101")) {
		return 0, fmt.Errorf("the server answers an upgrade by %q", line)
	}
	if !bytes.Contains(b[:end], []byte(accept)) {
		return 0, errors.New("the server's Sec-WebSocket-Accept is wrong or missing")
	}
	return end + 4, nil
}

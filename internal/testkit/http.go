package testkit

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strconv"
)

// ServeHTTP is an HTTP/1.1 backend that costs as little as one can: it answers every request with 200 and a body, and allocates
// nothing for it. It returns when ln fails; connections end with their clients.
func ServeHTTP(ln net.Listener, body string) error {
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nDate: Mon, 02 Nov 2026 10:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go serveHTTP(c, answer)
	}
}

func serveHTTP(c net.Conn, answer []byte) {
	in := bufio.NewReaderSize(c, 8<<10)
	for readRequest(in) == nil {
		if _, err := c.Write(answer); err != nil {
			break
		}
	}
	_ = c.Close() // the client's end says all
}

// readRequest reads a request whose lines net/http wrote, or who writes as it does.
func readRequest(in *bufio.Reader) error {
	length := 0
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == 2 {
			break
		}
		if digits, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(digits))); err != nil {
				return err
			}
		}
	}
	_, err := in.Discard(length)
	return err
}

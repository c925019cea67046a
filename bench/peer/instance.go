package peer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// instance is what the Instances of programs in processes have in common.
type instance struct {
	processes
	addr string
}

func newInstance(dir, addr string) instance {
	return instance{processes: processes{dir: dir}, addr: addr}
}

func (i *instance) Addr() string     { return i.addr }
func (i *instance) Processes() []int { return i.IDs() }
func (i *instance) Stop() error      { return i.stop() }

// ready waits until somebody listens at the addresses. What was started is stopped when that does not come to pass.
func (i *instance) ready(ctx context.Context, addrs ...string) error {
	for _, addr := range addrs {
		if err := i.await(ctx, func(ctx context.Context) error { return answers(ctx, addr) }); err != nil {
			return errors.Join(err, i.stop())
		}
	}
	return nil
}

// Peers returns the servers that do a similar job to Cleat's, in the order of tables.
func Peers() []Server {
	return []Server{Nchan(), Centrifugo(), AnyCable(), Pushpin(), Offline()}
}

// post is an HTTP/1.1 POST over a connection that is kept.
func post(host, path, contentType string, body []byte) []byte {
	head := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", path, host, contentType, len(body))
	return append(head, body...)
}

// appendString appends a text as a JSON string.
func appendString(dst, text []byte) []byte {
	plain := true
	for _, c := range text {
		plain = plain && c >= ' ' && c < 0x7f && c != '"' && c != '\\'
	}
	if plain {
		dst = append(append(dst, '"'), text...)
		return append(dst, '"')
	}
	b, err := json.Marshal(string(text))
	if err != nil {
		return append(dst, `""`...) // never: a string has its JSON
	}
	return append(dst, b...)
}

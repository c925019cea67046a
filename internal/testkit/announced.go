package testkit

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
)

// Announced runs what writes its address as a line, until the test ends, and returns the address. The test fails when it
// ends with an error.
func Announced(tb testing.TB, serve func(ctx context.Context, out io.Writer) error) (addr string) {
	tb.Helper()
	ctx, stop := context.WithCancel(context.Background())
	in, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := serve(ctx, out)
		_ = out.CloseWithError(err) // never fails (its documentation)
		ended <- err
	}()
	tb.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
	})
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil {
		tb.Fatal(err)
	}
	return strings.TrimSpace(line)
}

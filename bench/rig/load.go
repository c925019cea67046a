package rig

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"cleat/internal/frame"
)

// Figures are what a run of Echo came to.
type Figures struct {
	Messages int
	Wall     time.Duration
	CPU      time.Duration // of the server
	P50, P99 time.Duration // of a round trip
}

// Echo has conns clients send messages of size bytes, each its next one when the last has come back, until d is over.
// What comes back must be one frame, from our own servers as long as what was sent.
func Echo(ctx context.Context, t *Target, conns, size int, d time.Duration) (Figures, error) {
	clients, err := DialMany(ctx, t, conns, 16, func(c, _ net.Conn) net.Conn { return c })
	defer func() {
		for _, c := range clients {
			if c != nil {
				_ = c.Close()
			}
		}
	}()
	if err != nil {
		return Figures{}, err
	}
	before, err := t.CPU()
	if err != nil {
		return Figures{}, err
	}
	begin := time.Now()
	trips := make([][]time.Duration, conns)
	errs := make([]error, conns)
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() { trips[i], errs[i] = echoUntil(c, size, !t.External(), begin.Add(d)) })
	}
	wg.Wait()
	f := Figures{Wall: time.Since(begin)}
	after, err := t.CPU()
	if err := errors.Join(append(errs, err)...); err != nil {
		return Figures{}, err
	}
	f.CPU = after - before
	all := slices.Concat(trips...)
	slices.Sort(all)
	f.Messages = len(all)
	f.P50, f.P99 = all[len(all)/2], all[len(all)*99/100]
	return f, nil
}

func echoUntil(c net.Conn, size int, same bool, end time.Time) ([]time.Duration, error) {
	if err := c.SetDeadline(end.Add(opTimeout)); err != nil {
		return nil, err
	}
	payload := make([]byte, size)
	for i := range payload {
		payload[i] = 'x'
	}
	out := frame.AppendMasked(nil, frame.OpText, true, [4]byte{1, 2, 3, 4}, payload)
	in := bufio.NewReaderSize(c, 4<<10)
	var trips []time.Duration
	for {
		begin := time.Now()
		if begin.After(end) && len(trips) > 0 {
			return trips, nil
		}
		if _, err := c.Write(out); err != nil {
			return trips, err
		}
		n, err := skipFrame(in)
		if err != nil {
			return trips, err
		}
		if same && n != size {
			return trips, fmt.Errorf("%d bytes came back for %d", n, size)
		}
		trips = append(trips, time.Since(begin))
	}
}

// skipFrame reads a server's frame of at most 65,535 bytes, which must be a whole message, and returns its length.
func skipFrame(r *bufio.Reader) (int, error) {
	head, err := r.Peek(2)
	if err != nil {
		return 0, err
	}
	const final = 0x80
	if op := head[0]; op != final|byte(frame.OpText) && op != final|byte(frame.OpBinary) {
		return 0, fmt.Errorf("a frame beginning with %#x came back", op)
	}
	n, skip := int(head[1]), 2
	if n > 126 {
		return 0, errors.New("too long a frame came back")
	}
	if n == 126 {
		if head, err = r.Peek(4); err != nil {
			return 0, err
		}
		n, skip = int(binary.BigEndian.Uint16(head[2:])), 4
	}
	_, err = r.Discard(skip + n)
	return n, err
}

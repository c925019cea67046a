package meter

import (
	"sync/atomic"

	"cleat/internal/apigw"
)

// shards is the number of cells that a counter is spread over, so that cores do not wait for one another's.
const shards = 8

// counters count the messages of one row.
type counters struct{ cells [shards]cell }

// cell fills a line of most processors' caches. Messages of one unit, nearly all, cost one addition: units are counted
// where a message has more than one.
type cell struct {
	in, moreIn, out, moreOut atomic.Int64
	_                        [32]byte
}

// cell picks by connection, from a part of its ID that differs from one to the next.
func (c *counters) cell(id apigw.ConnectionID) *cell {
	if len(id) < 3 {
		return &c.cells[0]
	}
	return &c.cells[id[len(id)-3]%shards]
}

func (c *counters) in(rec *apigw.Record) {
	cell := c.cell(rec.ConnectionID)
	cell.in.Add(1)
	if n := more(rec.BytesIn); n > 0 {
		cell.moreIn.Add(n)
	}
}

func (c *counters) out(rec *apigw.Record) {
	cell := c.cell(rec.ConnectionID)
	cell.out.Add(1)
	if n := more(rec.BytesOut); n > 0 {
		cell.moreOut.Add(n)
	}
}

// more is how many units a message has beyond its first. An empty message has one, too.
func more(bytes int) int64 { return int64(max(bytes-1, 0) / Unit) }

func (c *counters) read(into *Counts) {
	for i := range c.cells {
		cell := &c.cells[i]
		in, out := cell.in.Load(), cell.out.Load()
		into.MessagesIn += in
		into.UnitsIn += in + cell.moreIn.Load()
		into.MessagesOut += out
		into.UnitsOut += out + cell.moreOut.Load()
	}
}

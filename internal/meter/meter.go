package meter

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cleat/internal/apigw"
)

// Unit is the size that AWS charges a message for; a larger one counts as several.
const Unit = 32 << 10

// RoutePush is what readings show in place of a route key for pushes by @connections, which no route handles.
const RoutePush = "@connections"

// maxRows bounds the rows of a meter whose definitions keep changing; the routes of later ones are counted as none.
const maxRows = 20_000

// Meter counts records from its making on. All methods are safe for concurrent use.
type Meter struct {
	since time.Time
	rows  atomic.Pointer[map[rowKey]*row] // never nil, nor is what it points at changed
	mu    sync.Mutex                      // held by Swap, and guards seen
	seen  map[apigw.StageKey]uint64       // the revisions of stages whose routes have their rows
}

// rowKey names what messages are counted by. The route is empty for messages that no route took.
type rowKey struct {
	apigw.StageKey
	route string
	push  bool
}

// row is the counters of one rowKey. Those without a route have their stage's connections too.
type row struct {
	messages counters
	stage    *connections // of all rows of a stage
}

// New returns a meter that has counted nothing yet.
func New() *Meter {
	m := &Meter{since: time.Now()}
	elsewhere := &row{stage: &connections{base: m.since.UnixMilli()}} // what belongs to no stage that is known
	m.rows.Store(&map[rowKey]*row{{}: elsewhere})
	return m
}

// Swap tells the meter of the stages that are served from now on, so that it has a counter for each route. What was
// counted for others stays.
func (m *Meter) Swap(stages []apigw.ServedStage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := make(map[apigw.StageKey]uint64, len(stages))
	var changed []apigw.ServedStage
	for i := range stages {
		s := &stages[i]
		seen[s.Key()] = s.Revision
		if s.Revision == 0 || m.seen[s.Key()] != s.Revision {
			changed = append(changed, *s)
		}
	}
	if m.seen, stages = seen, changed; len(stages) == 0 {
		return
	}
	rows := *m.rows.Load()
	next := rows // copied before the first row is added: nearly all deployments add none
	add := func(k rowKey, of *connections) {
		if next[k] != nil || len(next) >= maxRows {
			return
		}
		if len(next) == len(rows) {
			next = maps.Clone(rows)
		}
		next[k] = &row{stage: of}
	}
	for i := range stages {
		s := &stages[i]
		key := s.Key()
		of := &connections{base: m.since.UnixMilli()}
		if have := next[rowKey{StageKey: key}]; have != nil {
			of = have.stage
		}
		add(rowKey{StageKey: key}, of)
		add(rowKey{StageKey: key, push: true}, of)
		for _, route := range s.RouteKeys {
			add(rowKey{StageKey: key, route: route}, of)
		}
	}
	if len(next) > len(rows) {
		m.rows.Store(&next)
	}
}

// row finds where something is counted: the route's row, else the stage's, else the one of what nobody knows.
func (m *Meter) row(rec *apigw.Record, route string, push bool) *row {
	rows := *m.rows.Load()
	key := rowKey{rec.StageKey(), route, push}
	if r := rows[key]; r != nil {
		return r
	}
	if r := rows[rowKey{StageKey: key.StageKey}]; r != nil {
		return r
	}
	return rows[rowKey{}]
}

// Observe counts a record: messages of clients, whatever became of them; what was sent to clients by replies, error frames
// and pushes; and the beginning and end of connections. Refused handshakes, $connect and $disconnect are no messages. It
// does not block and does not keep the record.
func (m *Meter) Observe(rec *apigw.Record) {
	if rec.Event == nil {
		if rec.Sent {
			m.row(rec, "", true).messages.out(rec)
		}
		return
	}
	switch c := &rec.Event.Context; c.EventType {
	case apigw.EventMessage:
		r := m.row(rec, rec.RouteKey, false)
		r.messages.in(rec)
		if rec.Sent {
			r.messages.out(rec)
		}
	case apigw.EventConnect:
		if rec.Status == http.StatusSwitchingProtocols {
			m.row(rec, "", false).stage.begin(c.ConnectedAt)
		}
	case apigw.EventDisconnect:
		m.row(rec, "", false).stage.end(c.ConnectedAt, rec.Time)
	}
}

// Counts are what AWS charges, and what it is made of.
type Counts struct {
	MessagesIn  int64 // from clients
	UnitsIn     int64 // the same in units of 32 KB
	MessagesOut int64 // to clients
	UnitsOut    int64
	Connections int64 // that became open
	Open        int64 // of them, those still open
	// ConnectionMinutes are whole minutes, each connection rounded up by itself; one that is still open counts the minutes
	// that it has begun, to the second. ConnectionMillis is the exact time.
	ConnectionMinutes int64
	ConnectionMillis  int64
}

func (c *Counts) add(o *Counts) {
	c.MessagesIn += o.MessagesIn
	c.UnitsIn += o.UnitsIn
	c.MessagesOut += o.MessagesOut
	c.UnitsOut += o.UnitsOut
	c.Connections += o.Connections
	c.Open += o.Open
	c.ConnectionMinutes += o.ConnectionMinutes
	c.ConnectionMillis += o.ConnectionMillis
}

// Row is one line of a reading. The rows of a reading add up to its total.
type Row struct {
	APIID apigw.APIID // empty, as Stage, for what belonged to no stage
	Stage string
	// Route is a route key, RoutePush, or empty for what belongs to none: connections, and messages that no route took.
	Route string
	Counts
}

// Reading is what a meter has counted.
type Reading struct {
	Since, Until time.Time
	Rows         []Row // by API, stage and route; without those that have nothing
}

// Total is the sum of the rows.
func (r Reading) Total() Counts {
	var sum Counts
	for i := range r.Rows {
		sum.add(&r.Rows[i].Counts)
	}
	return sum
}

// Read returns what was counted up to now. What is being counted meanwhile may be in it or not.
func (m *Meter) Read() Reading {
	now := time.Now()
	out := Reading{Since: m.since, Until: now}
	for key, r := range *m.rows.Load() {
		row := Row{APIID: key.APIID, Stage: key.Stage, Route: key.route}
		if key.push {
			row.Route = RoutePush
		}
		r.messages.read(&row.Counts)
		if key.route == "" && !key.push {
			r.stage.read(&row.Counts, now)
		}
		if row.Counts != (Counts{}) {
			out.Rows = append(out.Rows, row)
		}
	}
	slices.SortFunc(out.Rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.APIID, b.APIID), cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.Route, b.Route))
	})
	return out
}

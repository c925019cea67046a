package meter_test

import (
	"fmt"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/meter"
)

const api = apigw.APIID("a1b2c3d4e5")

func newTestMeter() *meter.Meter {
	m := meter.New()
	m.Swap([]apigw.ServedStage{{APIID: api, Stage: &apigw.Stage{StageName: "prod"}, RouteKeys: []string{"$connect", "$default", "say"}}, {APIID: api, Stage: &apigw.Stage{StageName: "dev"}, RouteKeys: []string{"$default"}}})
	return m
}

// event is a record of an event of the stage prod.
func event(t apigw.EventType, route string, change func(*apigw.Record)) *apigw.Record {
	rec := &apigw.Record{
		APIID: api, Stage: "prod", RouteKey: route, ConnectionID: "Qyi07eCbtjMCJKw=", Time: time.Now(),
		Event: &apigw.Event{Context: apigw.RequestContext{EventType: t, ConnectedAt: time.Now()}},
	}
	if change != nil {
		change(rec)
	}
	return rec
}

func message(route string, in, out int, sent bool) *apigw.Record {
	return event(apigw.EventMessage, route, func(r *apigw.Record) { r.BytesIn, r.BytesOut, r.Sent = in, out, sent })
}

// counts are the rows of a reading, by stage and route.
func counts(m *meter.Meter) map[string]meter.Counts {
	out := map[string]meter.Counts{}
	for _, row := range m.Read().Rows {
		out[row.Stage+" "+row.Route] = row.Counts
	}
	return out
}

// Messages are charged in steps of 32 KB (spec pricing).
func TestUnits(t *testing.T) {
	t.Parallel()
	for bytes, want := range map[int]int64{0: 1, 1: 1, 32<<10 - 1: 1, 32 << 10: 1, 32<<10 + 1: 2, 33 << 10: 2, 64 << 10: 2, 64<<10 + 1: 3, 128 << 10: 4, 1 << 20: 32} {
		m := newTestMeter()
		m.Observe(message("say", bytes, bytes, true))
		if got, want := m.Read().Total(), (meter.Counts{MessagesIn: 1, UnitsIn: want, MessagesOut: 1, UnitsOut: want}); got != want {
			t.Errorf("%d bytes: %+v, want %+v", bytes, got, want)
		}
	}
}

// What counts, and where (spec pricing).
func TestRows(t *testing.T) {
	t.Parallel()
	push := func(api apigw.APIID, stage, operation string, bytes int, sent bool) *apigw.Record {
		return &apigw.Record{APIID: api, Stage: stage, Operation: operation, BytesOut: bytes, Sent: sent}
	}
	for name, tt := range map[string]struct {
		records []*apigw.Record
		want    map[string]meter.Counts
	}{
		"one way":          {[]*apigw.Record{message("say", 10, 0, false)}, map[string]meter.Counts{"prod say": {MessagesIn: 1, UnitsIn: 1}}},
		"two-way":          {[]*apigw.Record{message("say", 10, 40<<10, true)}, map[string]meter.Counts{"prod say": {MessagesIn: 1, UnitsIn: 1, MessagesOut: 1, UnitsOut: 2}}},
		"empty reply":      {[]*apigw.Record{message("say", 0, 0, true)}, map[string]meter.Counts{"prod say": {MessagesIn: 1, UnitsIn: 1, MessagesOut: 1, UnitsOut: 1}}},
		"client left":      {[]*apigw.Record{message("say", 10, 10, false)}, map[string]meter.Counts{"prod say": {MessagesIn: 1, UnitsIn: 1}}},
		"no route":         {[]*apigw.Record{message("", 10, 90, true)}, map[string]meter.Counts{"prod ": {MessagesIn: 1, UnitsIn: 1, MessagesOut: 1, UnitsOut: 1}}},
		"route by its key": {[]*apigw.Record{message("say", 1, 0, false), message("$default", 1, 0, false), message("say", 1, 0, false)}, map[string]meter.Counts{"prod say": {MessagesIn: 2, UnitsIn: 2}, "prod $default": {MessagesIn: 1, UnitsIn: 1}}},
		"unknown route":    {[]*apigw.Record{message("renamed", 1, 0, false)}, map[string]meter.Counts{"prod ": {MessagesIn: 1, UnitsIn: 1}}},
		"push":             {[]*apigw.Record{push(api, "dev", "post", 33<<10, true)}, map[string]meter.Counts{"dev @connections": {MessagesOut: 1, UnitsOut: 2}}},
		"push that failed": {[]*apigw.Record{push(api, "dev", "post", 33<<10, false)}, map[string]meter.Counts{}},
		"push to nowhere":  {[]*apigw.Record{push("", "", "post", 1, true)}, map[string]meter.Counts{" ": {MessagesOut: 1, UnitsOut: 1}}},
		"refused":          {[]*apigw.Record{{Operation: "refused", Status: 403}, event(apigw.EventConnect, "$connect", func(r *apigw.Record) { r.Status = 401 })}, map[string]meter.Counts{}},
		"connection": {
			[]*apigw.Record{event(apigw.EventConnect, "$connect", func(r *apigw.Record) { r.Status = 101 }), event(apigw.EventDisconnect, "$disconnect", nil)},
			map[string]meter.Counts{"prod ": {Connections: 1, ConnectionMinutes: 1}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				now := time.Now()
				m := newTestMeter()
				for _, rec := range tt.records {
					if rec.Event != nil {
						rec.Event.Context.ConnectedAt, rec.Time = now, now
					}
					m.Observe(rec)
				}
				if got := counts(m); !reflect.DeepEqual(got, tt.want) {
					t.Errorf("got %+v, want %+v", got, tt.want)
				}
			})
		})
	}
}

// A connection's last minute counts as whole; the exact time is kept beside it (spec pricing).
func TestConnectionMinutes(t *testing.T) {
	t.Parallel()
	for lived, want := range map[time.Duration]int64{
		0: 1, time.Millisecond: 1, time.Minute - time.Millisecond: 1, time.Minute: 1, time.Minute + time.Millisecond: 2, 90 * time.Second: 2, 2 * time.Hour: 120,
	} {
		for _, offset := range []time.Duration{0, 250 * time.Millisecond, 59999 * time.Millisecond} {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(offset)
				m := newTestMeter()
				began := time.Now()
				m.Observe(event(apigw.EventConnect, "$connect", func(r *apigw.Record) { r.Status = 101 }))
				time.Sleep(lived)
				if got := m.Read().Total(); got.Open != 1 || got.ConnectionMillis != lived.Milliseconds() || got.ConnectionMinutes > want || got.ConnectionMinutes < want-1 {
					t.Errorf("open for %s, begun %s past the minute: %+v, want about %d minutes", lived, offset, got, want)
				}
				m.Observe(event(apigw.EventDisconnect, "$disconnect", func(r *apigw.Record) { r.Event.Context.ConnectedAt = began }))
				time.Sleep(time.Hour)
				if got, want := m.Read().Total(), (meter.Counts{Connections: 1, ConnectionMinutes: want, ConnectionMillis: lived.Milliseconds()}); got != want {
					t.Errorf("after %s, begun %s past the minute: %+v, want %+v", lived, offset, got, want)
				}
			})
		}
	}
}

// Many connections that are open and were begun at any time: what a reading says is what each by itself would, to the
// second, and it never goes back.
func TestOpenConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newTestMeter()
		var began []time.Time
		last := int64(0)
		for range 500 {
			now := time.Now()
			began = append(began, now)
			m.Observe(event(apigw.EventConnect, "$connect", func(r *apigw.Record) { r.Status = 101 }))
			time.Sleep(777 * time.Millisecond)
			var least, most, millis int64
			for _, b := range began {
				lived := time.Since(b).Milliseconds()
				millis += lived
				least += (max(lived-999, 0) + 59_999) / 60_000
				most += (lived + 59_999) / 60_000
			}
			got := m.Read().Total()
			if got.ConnectionMillis != millis || got.ConnectionMinutes < least || got.ConnectionMinutes > most || got.ConnectionMinutes < last {
				t.Fatalf("with %d open: %+v, want %d ms and %d to %d minutes, no fewer than %d", len(began), got, millis, least, most, last)
			}
			last = got.ConnectionMinutes
		}
		for _, b := range began {
			m.Observe(event(apigw.EventDisconnect, "", func(r *apigw.Record) { r.Event.Context.ConnectedAt = b }))
		}
		if got := m.Read().Total(); got.Open != 0 || got.Connections != 500 || got.ConnectionMinutes < last {
			t.Errorf("after their end: %+v, want no fewer than %d minutes", got, last)
		}
	})
}

// The end of a connection may be told of before its beginning: they are handled side by side.
func TestEndBeforeBeginning(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newTestMeter()
		time.Sleep(3 * time.Hour)
		began := time.Now()
		m.Observe(event(apigw.EventDisconnect, "", func(r *apigw.Record) { r.Event.Context.ConnectedAt = began }))
		if got, want := m.Read().Total(), (meter.Counts{ConnectionMinutes: 1}); got != want {
			t.Errorf("between: %+v, want %+v", got, want)
		}
		m.Observe(event(apigw.EventConnect, "$connect", func(r *apigw.Record) { r.Status = 101; r.Event.Context.ConnectedAt = began }))
		time.Sleep(time.Hour)
		if got, want := m.Read().Total(), (meter.Counts{Connections: 1, ConnectionMinutes: 1}); got != want {
			t.Errorf("after: %+v, want %+v", got, want)
		}
	})
}

// What was counted for routes and stages that are gone stays, and goes on where they come back.
func TestSwap(t *testing.T) {
	t.Parallel()
	m := newTestMeter()
	m.Observe(message("say", 1, 0, false))
	m.Swap([]apigw.ServedStage{{APIID: "other00000", Stage: &apigw.Stage{StageName: "live"}, RouteKeys: []string{"hello"}}})
	m.Observe(message("say", 1, 0, false))
	m.Observe(event(apigw.EventMessage, "hello", func(r *apigw.Record) { r.APIID, r.Stage = "other00000", "live" }))
	got := counts(m)
	if got["prod say"].MessagesIn != 2 || got["live hello"].MessagesIn != 1 {
		t.Errorf("got %+v", got)
	}
	rows := m.Read().Rows
	if len(rows) != 2 || rows[0].APIID != api || rows[1].APIID != "other00000" {
		t.Errorf("rows %+v, want them ordered by API", rows)
	}
}

// Definitions that never end do not make a meter that never ends.
func TestRowsAreBounded(t *testing.T) {
	t.Parallel()
	m := meter.New()
	const stages = 80
	for i := range stages {
		var routes []string
		for j := range 300 {
			routes = append(routes, fmt.Sprintf("r%d-%d", i, j))
		}
		m.Swap([]apigw.ServedStage{{APIID: api, Stage: &apigw.Stage{StageName: fmt.Sprintf("s%d", i)}, RouteKeys: routes}})
	}
	count := func(stage, route string) {
		m.Observe(event(apigw.EventMessage, route, func(r *apigw.Record) { r.Stage = stage }))
	}
	count("s0", "r0-0")
	count(fmt.Sprintf("s%d", stages-1), fmt.Sprintf("r%d-299", stages-1))
	got := counts(m)
	if got["s0 r0-0"].MessagesIn != 1 || got[" "].MessagesIn != 1 || m.Read().Total().MessagesIn != 2 {
		t.Errorf("got %+v", got)
	}
}

// A stage is looked at again when its revision says so, and when it says nothing.
func TestRevisions(t *testing.T) {
	m := meter.New()
	swap := func(revision uint64, routes ...string) {
		m.Swap([]apigw.ServedStage{{APIID: api, Stage: &apigw.Stage{StageName: "prod"}, RouteKeys: routes, Revision: revision}})
	}
	count := func(route string) {
		m.Observe(event(apigw.EventMessage, route, func(r *apigw.Record) { r.Stage = "prod" }))
	}
	swap(1, "one")
	swap(1, "one")
	swap(2, "one", "two")
	swap(0, "one", "two", "three")
	for _, route := range []string{"one", "two", "three"} {
		count(route)
	}
	got := counts(m)
	for _, route := range []string{"one", "two", "three"} {
		if got["prod "+route].MessagesIn != 1 {
			t.Errorf("%s was counted %d times, want once: %+v", route, got["prod "+route].MessagesIn, got)
		}
	}
}

func TestConcurrent(t *testing.T) {
	t.Parallel()
	const goroutines, each = 8, 2000
	m := newTestMeter()
	var all sync.WaitGroup
	for i := range goroutines {
		all.Go(func() {
			id := apigw.ConnectionID(fmt.Sprintf("AAAAAAAAAAAAA%cA=", 'A'+i))
			for range each {
				m.Observe(event(apigw.EventConnect, "$connect", func(r *apigw.Record) { r.Status = 101 }))
				m.Observe(event(apigw.EventMessage, "say", func(r *apigw.Record) { r.ConnectionID, r.BytesIn, r.Sent = id, 33<<10, true }))
				m.Observe(event(apigw.EventDisconnect, "", nil))
			}
		})
	}
	all.Go(func() {
		for range 200 {
			m.Read()
			m.Swap([]apigw.ServedStage{{APIID: api, Stage: &apigw.Stage{StageName: "prod"}, RouteKeys: []string{"say"}}})
		}
	})
	all.Wait()
	const n = goroutines * each
	if got := m.Read().Total(); got.MessagesIn != n || got.UnitsIn != 2*n || got.MessagesOut != n || got.UnitsOut != n || got.Connections != n || got.Open != 0 {
		t.Errorf("got %+v, want %d of each", got, n)
	}
}

func TestObserveDoesNotAllocate(t *testing.T) {
	m := newTestMeter()
	rec := message("say", 100, 100, true)
	if n := testing.AllocsPerRun(100, func() { m.Observe(rec) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkObserve is what counting adds to a message on a two-way route, with as many cores as there are.
func BenchmarkObserve(b *testing.B) {
	m := newTestMeter()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		rec := message("say", 100, 100, true)
		rec.ConnectionID = apigw.ConnectionID(apigw.NewRequestID())
		for pb.Next() {
			m.Observe(rec)
		}
	})
}

// BenchmarkConnection is what counting adds to a connection.
func BenchmarkConnection(b *testing.B) {
	m := newTestMeter()
	begin, end := event(apigw.EventConnect, "$connect", func(r *apigw.Record) { r.Status = 101 }), event(apigw.EventDisconnect, "", nil)
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(begin)
		m.Observe(end)
	}
}

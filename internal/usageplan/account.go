package usageplan

import (
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/throttle"
)

// Day is a day of UTC, counted from the first of January 1970.
type Day int64

// DayOf is the day in which t lies.
func DayOf(t time.Time) Day { return Day(max(t.Unix(), 0) / (24 * 60 * 60)) }

// Time is the moment at which the day begins.
func (d Day) Time() time.Time { return time.Unix(int64(d)*24*60*60, 0).UTC() }

// History is how many days back it is known what a key has used.
const History = 100

// account is what one key has used of one plan, day by day. It outlives the settings of the plan, so that who changes
// those gives nobody a fresh start. Its methods are safe for concurrent use.
type account struct {
	mu     sync.Mutex
	days   []dayUse // of those days on which there was any use, in their order
	window window
	// unsaved is the first day that has changed since the last call of changes, zero when there is none.
	unsaved Day
}

type dayUse struct {
	day     Day
	used    int64
	granted int64 // by an operator, on top of the quota; negative where something was taken away
}

// window is the period of a quota that was looked at last, and what is left in it.
type window struct {
	quota       apigw.QuotaSettings
	first, next Day // of the period, and of the one after it
	left        int64
}

// take counts a request, if something is left of the quota (nil: none) and the bucket lets it through.
func (a *account) take(q *apigw.QuotaSettings, b *throttle.Bucket, now time.Time) verdict {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.today(now)
	if q != nil {
		a.look(*q, d)
		if a.window.left <= 0 {
			return usedUp
		}
	}
	if !b.Allow(now) {
		return tooFast
	}
	a.on(d).used++
	a.window.left--
	return letIn
}

// verdict is what becomes of a request.
type verdict int

const (
	letIn verdict = iota
	usedUp
	tooFast
)

// today is the day to count on. A clock that was put back does not open a period that is over.
func (a *account) today(now time.Time) Day {
	d := DayOf(now)
	if n := len(a.days); n > 0 {
		d = max(d, a.days[n-1].day)
	}
	return d
}

// look turns the window to the period in which d lies.
func (a *account) look(q apigw.QuotaSettings, d Day) {
	if w := &a.window; w.quota == q && w.first <= d && d < w.next {
		return
	}
	first, next := period(q, d)
	a.window = window{quota: q, first: first, next: next, left: a.leftOn(q, d)}
}

// on is the entry of the last day, which it makes. What is older than History is forgotten.
func (a *account) on(d Day) *dayUse {
	if a.unsaved == 0 {
		a.unsaved = d
	}
	if n := len(a.days); n == 0 || a.days[n-1].day != d {
		a.days = slices.DeleteFunc(a.days, func(u dayUse) bool { return u.day <= d-History })
		a.days = append(a.days, dayUse{day: d})
	}
	return &a.days[len(a.days)-1]
}

// leftOn is what is left of the quota at the end of a day, as far as is known.
func (a *account) leftOn(q apigw.QuotaSettings, d Day) int64 {
	first, _ := period(q, d)
	left := int64(min(max(q.Limit, 0), math.MaxInt32))
	for _, u := range a.days {
		if u.day >= first && u.day <= d {
			left += u.granted - u.used
		}
	}
	return left
}

// setLeft makes that much be left in the period of now.
func (a *account) setLeft(q apigw.QuotaSettings, left int64, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.today(now)
	a.look(q, d)
	a.on(d).granted += left - a.window.left
	a.window.left = left
}

// Use is what a key has used of a plan on one day.
type Use struct {
	Used int64
	// Left is what was left of the quota when the day was over, by the quota of now. It is math.MaxInt32, the largest quota
	// that there is, where there is none.
	Left int64
}

// read returns the use of each day. An account that is nil has used nothing.
func (a *account) read(q *apigw.QuotaSettings, from, to Day) []Use {
	if a == nil {
		a = &account{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []Use
	for d := from; d <= to; d++ {
		u := Use{Left: math.MaxInt32}
		if i := slices.IndexFunc(a.days, func(u dayUse) bool { return u.day == d }); i >= 0 {
			u.Used = a.days[i].used
		}
		if q != nil {
			u.Left = max(a.leftOn(*q, d), 0)
		}
		all = append(all, u)
	}
	return all
}

// changed returns the first day that has changed since the last call, zero when there is none.
func (a *account) changed() Day {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.unsaved
	a.unsaved = 0
	return d
}

// restore puts in a day that was saved. Days come in their order, and before anything is counted.
func (a *account) restore(u dayUse) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.days = append(a.days, u)
}

// since returns a copy of the days from one on.
func (a *account) since(d Day) []dayUse {
	a.mu.Lock()
	defer a.mu.Unlock()
	i, _ := slices.BinarySearchFunc(a.days, d, func(u dayUse, d Day) int { return int(u.day - d) })
	return slices.Clone(a.days[i:])
}

// period returns the first day of the period in which d lies, and that of the next one.
func period(s apigw.QuotaSettings, d Day) (first, next Day) {
	offset := Day(s.Offset)
	switch s.Period {
	case apigw.QuotaWeek:
		first = d - (d-offset+4)%7 // the first of January 1970 was a Thursday
		return first, first + 7
	case apigw.QuotaMonth:
		t := (d - offset).Time()
		begin := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
		return DayOf(begin) + offset, DayOf(begin.AddDate(0, 1, 0)) + offset
	case apigw.QuotaDay:
	}
	return d, d + 1
}

// ledger is the accounts of all keys in all plans that have ever been seen. The zero ledger is empty and ready. It is
// safe for concurrent use.
type ledger struct {
	mu       sync.Mutex
	accounts map[member]*account
}

// of returns the account of a key in a plan, which it opens.
func (l *ledger) of(m member) *account {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accounts[m]
	if a == nil {
		if l.accounts == nil {
			l.accounts = map[member]*account{}
		}
		a = &account{}
		l.accounts[m] = a
	}
	return a
}

// known returns the account of a key in a plan, nil when there is none.
func (l *ledger) known(m member) *account {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.accounts[m]
}

// prune closes the accounts of those that are no members and have never used anything.
func (l *ledger) prune(members map[member]*usage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for m, a := range l.accounts {
		if members[m] == nil && len(a.since(0)) == 0 {
			delete(l.accounts, m)
		}
	}
}

// all returns all accounts.
func (l *ledger) all() map[member]*account {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.accounts)
}

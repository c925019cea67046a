package usageplan_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/usageplan"
)

var daily = apigw.UsagePlan{Quota: &apigw.QuotaSettings{Limit: 5, Period: apigw.QuotaDay}}

// keep returns an index with what a folder holds, and its keeper.
func keep(t *testing.T, dir string, plan apigw.UsagePlan) (*usageplan.Index, *usageplan.Keeper) {
	t.Helper()
	var x usageplan.Index
	k, err := usageplan.NewKeeper(dir, &x, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	define(plan).swapInto(&x)
	return &x, k
}

// take makes n requests with a key, all of which must be let in.
func take(t *testing.T, x *usageplan.Index, value string, n int) {
	t.Helper()
	for range n {
		if _, err := x.Check(value, api, "prod", "$connect", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
}

func used(x *usageplan.Index, plan apigw.UsagePlan, key string, from, to time.Time) string {
	plan.ID = "plan1"
	return fmt.Sprint(x.Used(&plan, key, usageplan.DayOf(from), usageplan.DayOf(to)))
}

// What was counted comes back, and with it the history of days (spec control-plane §14).
func TestKeeper(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "usage")
	synctest.Test(t, func(t *testing.T) {
		x, k := keep(t, dir, daily)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- k.Run(ctx) }()
		yesterday := time.Now()
		take(t, x, gold, 5)
		if _, err := x.Check(gold, api, "prod", "$connect", time.Now()); kind(err) != limit {
			t.Errorf("past the quota: %v", err)
		}
		time.Sleep(24 * time.Hour)
		take(t, x, gold, 2)
		take(t, x, iron, 1)
		time.Sleep(usageplan.SaveInterval)
		synctest.Wait()
		take(t, x, gold, 1) // which a killed process forgets

		killed, _ := keep(t, dir, daily)
		if got, want := used(killed, daily, "gold", yesterday, time.Now()), "[{5 0} {2 3}]"; got != want {
			t.Errorf("after a kill: got %s, want %s", got, want)
		}
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		stopped, _ := keep(t, dir, daily)
		if got, want := used(stopped, daily, "gold", yesterday, time.Now().AddDate(0, 0, 1)), "[{5 0} {3 2} {0 5}]"; got != want {
			t.Errorf("after a stop: got %s, want %s", got, want)
		}
		if got, want := used(stopped, daily, "iron", yesterday, time.Now()), "[{0 5} {1 4}]"; got != want {
			t.Errorf("iron: got %s, want %s", got, want)
		}
		take(t, stopped, gold, 2)
		if _, err := stopped.Check(gold, api, "prod", "$connect", time.Now()); kind(err) != limit {
			t.Errorf("the quota of today is used up: %v", err)
		}
	})
}

// A month's quota is the sum of its days, whoever counted them and whatever the plan was then.
func TestKeeperMonth(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		x, k := keep(t, dir, apigw.UsagePlan{})
		take(t, x, gold, 3)
		if got, want := used(x, apigw.UsagePlan{}, "gold", time.Now(), time.Now()), fmt.Sprintf("[{3 %d}]", math.MaxInt32); got != want {
			t.Errorf("without a quota: got %s, want %s", got, want)
		}
		if err := k.Save(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(48 * time.Hour)
		month := apigw.UsagePlan{Quota: &apigw.QuotaSettings{Limit: 4, Period: apigw.QuotaMonth}}
		x, _ = keep(t, dir, month)
		take(t, x, gold, 1)
		if _, err := x.Check(gold, api, "prod", "$connect", time.Now()); kind(err) != limit {
			t.Errorf("got %v", err)
		}
	})
}

// UpdateUsage: what is left is what an operator says, until the period is over (spec control-plane §14).
func TestSetLeft(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		plan := daily
		plan.ID = "plan1"
		x, k := keep(t, dir, daily)
		take(t, x, gold, 5)
		x.SetLeft(&plan, "gold", 2, time.Now())
		take(t, x, gold, 1)
		if err := k.Save(); err != nil {
			t.Fatal(err)
		}
		x, _ = keep(t, dir, daily)
		if got, want := used(x, daily, "gold", time.Now(), time.Now()), "[{6 1}]"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		take(t, x, gold, 1)
		if _, err := x.Check(gold, api, "prod", "$connect", time.Now()); kind(err) != limit {
			t.Errorf("what was granted is used up: %v", err)
		}
		x.SetLeft(&plan, "iron", 0, time.Now())
		if _, err := x.Check(iron, api, "prod", "$connect", time.Now()); kind(err) != limit {
			t.Errorf("nothing was left to iron: %v", err)
		}
		time.Sleep(24 * time.Hour)
		take(t, x, gold, 5)
		take(t, x, iron, 5)
	})
}

// A key that leaves a plan and comes back has what it had.
func TestMembershipEndsNoAccount(t *testing.T) {
	var x usageplan.Index
	d := define(apigw.UsagePlan{Quota: &apigw.QuotaSettings{Limit: 1, Period: apigw.QuotaDay}})
	d.swapInto(&x)
	if _, err := x.Check(gold, api, "prod", "$connect", noon); err != nil {
		t.Fatal(err)
	}
	x.Swap(nil, nil, nil)
	d.swapInto(&x)
	if _, err := x.Check(gold, api, "prod", "$connect", noon); kind(err) != limit {
		t.Errorf("got %v", err)
	}
}

// Old files go, those of days to come are passed over, others are left alone, and one that is broken is told of.
func TestKeeperFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	day := func(n int) string { return time.Now().UTC().AddDate(0, 0, n).Format(time.DateOnly) + ".json" }
	write(day(-usageplan.History), `{"plan1":{"gold":{"used":1}}}`)
	write(day(1-usageplan.History), `{"plan1":{"gold":{"used":2}}}`)
	write(day(5), `{"plan1":{"gold":{"used":5}}}`)
	write("notes.json", "mine")
	var log bytes.Buffer
	var x usageplan.Index
	k, err := usageplan.NewKeeper(dir, &x, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), day(5)) {
		t.Errorf("log: %s", log.String())
	}
	define(daily).swapInto(&x)
	long := time.Now().AddDate(0, 0, 1-usageplan.History)
	if got := used(&x, daily, "gold", long, long); got != "[{2 3}]" {
		t.Errorf("got %s", got)
	}
	take(t, &x, gold, 1)
	if err := k.Save(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{day(1 - usageplan.History), day(0), day(5), "notes.json"}; !slices.Equal(names, want) {
		t.Errorf("files %v, want %v", names, want)
	}

	write(day(-1), "{")
	_, err = usageplan.NewKeeper(dir, &usageplan.Index{}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "move "+filepath.Join(dir, day(-1))+" out of the way") {
		t.Errorf("got %v", err)
	}
}

// What could not be saved is saved as soon as it can be.
func TestKeeperTriesAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "usage")
	x, k := keep(t, dir, daily)
	take(t, x, gold, 1)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := k.Save(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := k.Save(); err != nil {
		t.Fatal(err)
	}
	x, _ = keep(t, dir, daily)
	if got := used(x, daily, "gold", time.Now(), time.Now()); got != "[{1 4}]" {
		t.Errorf("got %s", got)
	}
}

// FuzzKeeperFile: no file makes the keeper panic, and one that it takes it can write again.
func FuzzKeeperFile(f *testing.F) {
	for _, seed := range []string{`{}`, `{"plan1":{"gold":{"used":3,"granted":-1}}}`, `{"plan1":{"gold":{"used":9223372036854775807}}}`, `{"plan1":null}`, `[`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, time.Now().UTC().Format(time.DateOnly)+".json"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		var x usageplan.Index
		k, err := usageplan.NewKeeper(dir, &x, slog.New(slog.DiscardHandler))
		if err != nil {
			return
		}
		define(daily).swapInto(&x)
		_, _ = x.Check(gold, api, "prod", "$connect", time.Now())
		if err := k.Save(); err != nil {
			t.Error(err)
		}
	})
}

// BenchmarkSave is what it costs to save when all of 10,000 keys were used.
func BenchmarkSave(b *testing.B) {
	d := define(daily)
	d.plans[0].Quota = nil
	for i := range 10_000 {
		id := fmt.Sprintf("key%07d", i)
		d.keys = append(d.keys, apigw.APIKey{ID: id, Value: id + "-value-of-the-key", Enabled: true})
		d.planKeys = append(d.planKeys, apigw.UsagePlanKey{ID: id, UsagePlanID: "plan1"})
	}
	var x usageplan.Index
	k, err := usageplan.NewKeeper(b.TempDir(), &x, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	d.swapInto(&x)
	for b.Loop() {
		for i := range d.keys {
			_, _ = x.Check(d.keys[i].Value, api, "prod", "$connect", time.Now())
		}
		if err := k.Save(); err != nil {
			b.Fatal(err)
		}
	}
}

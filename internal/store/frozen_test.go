package store_test

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"weak"

	"cleat/internal/apigw"
	"cleat/internal/store"
	"cleat/internal/store/memory"
)

// A definition is decoded for who asks, once while somebody has it, and kept for nobody.
func TestFrozen(t *testing.T) {
	s := store.New(memory.New())
	commit(t, s, fill)
	serving, err := s.NewView().Serving(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	frozen := serving.Stages[0].Frozen
	read := func() *apigw.Definition {
		t.Helper()
		d, err := frozen.Definition()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := read()
	want, _, err := store.Get(t.Context(), s, store.Definitions(api).Key(serving.Stages[0].Deployment.DeploymentID))
	if err != nil || !reflect.DeepEqual(*d, want) {
		t.Errorf("got %+v, want %+v, %v", d, want, err)
	}
	if read() != d {
		t.Error("it is decoded again though it is there")
	}
	runtime.KeepAlive(d)
	kept := weak.Make(d)
	runtime.GC()
	if kept.Value() != nil {
		t.Error("it is kept decoded")
	}
	if again := read(); !reflect.DeepEqual(*again, want) {
		t.Errorf("decoded again: %+v, want %+v", again, want)
	}
	runtime.KeepAlive(serving)
}

// What Freeze is given is given back, however often the collector comes.
func TestFreeze(t *testing.T) {
	frozen := store.Freeze(&apigw.Definition{RouteSelectionExpression: "$request.body.action"})
	runtime.GC()
	if d, err := frozen.Definition(); err != nil || d.RouteSelectionExpression != "$request.body.action" {
		t.Errorf("got %+v, %v", d, err)
	}
}

func TestFrozenDamaged(t *testing.T) {
	d := memory.New()
	s := store.New(d)
	commit(t, s, fill)
	serving, err := s.Serving(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	key := store.Definitions(api).Key(serving.Stages[0].Deployment.DeploymentID).String()
	if _, err := d.Commit(t.Context(), []store.Change{{Key: key, Value: []byte("{")}}); err != nil {
		t.Fatal(err)
	}
	if serving, err = s.Serving(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := serving.Stages[0].Frozen.Definition(); err == nil || !strings.Contains(err.Error(), key) {
		t.Errorf("got %v, want an error that names %s", err, key)
	}
}

// large is a definition that is compressed in the store.
func large(name string) *apigw.Definition {
	d := &apigw.Definition{RouteSelectionExpression: name}
	for i := range 100 {
		d.Routes = append(d.Routes, apigw.Route{RouteID: fmt.Sprintf("r%d", i), RouteKey: fmt.Sprintf("action%d of %s", i, name)})
	}
	return d
}

// A view that follows has what was frozen without decoding it, for as long as its caller has what it was told; it is what
// the store has.
func TestHandedOver(t *testing.T) {
	s := store.New(memory.New())
	commit(t, s, fill)
	view := s.NewView()
	if _, err := view.Serving(t.Context()); err != nil {
		t.Fatal(err)
	}
	key := store.Definitions(api).Key("d2")
	made := large("three")
	commit(t, s, func(b *store.Batch) { store.PutFrozen(b, key, store.Freeze(made), store.Expect{}) })
	serving, err := view.Serving(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	frozen := serving.Stages[0].Frozen
	runtime.GC() // which takes what nobody holds
	if d, err := frozen.Definition(); err != nil || d != made {
		t.Errorf("got %p, %v, want %p", d, err, made)
	}
	stored, _, err := store.Get(t.Context(), s, key)
	if err != nil || !reflect.DeepEqual(stored, *made) {
		t.Errorf("the store has %+v, %v", stored, err)
	}
	runtime.KeepAlive(serving)
	kept := weak.Make(made)
	made = nil
	runtime.GC()
	if kept.Value() != nil {
		t.Error("it is kept decoded")
	}
	if d, err := frozen.Definition(); err != nil || !reflect.DeepEqual(*d, stored) {
		t.Errorf("decoded again: %+v, %v", d, err)
	}
	runtime.KeepAlive(view)
}

// What a view is told is what the store has, whatever was frozen beside it.
func TestNotHandedOver(t *testing.T) {
	invalid := large("three")
	invalid.Routes[0].RouteKey = "no UTF-8: \xff"
	key := store.Definitions(api).Key("d2")
	frozen := func(d *apigw.Definition) func(*store.Batch) {
		return func(b *store.Batch) { store.PutFrozen(b, key, store.Freeze(d), store.Expect{}) }
	}
	for name, batches := range map[string][]func(*store.Batch){
		"no UTF-8":            {frozen(invalid)},
		"overwritten at once": {frozen(large("three")), func(b *store.Batch) { store.Put(b, key, *large("four"), store.Expect{}) }},
		"frozen twice":        {frozen(large("three")), frozen(large("four"))},
		"in one batch with what conflicts": {func(b *store.Batch) {
			store.PutFrozen(b, key, store.Freeze(large("three")), store.At(1_000_000))
		}},
		"more than wait": {
			frozen(large("three")), frozen(large("four")), frozen(large("five")), frozen(large("six")), frozen(large("seven")), frozen(large("eight")),
			func(b *store.Batch) { store.Put(b, key, *large("three"), store.Expect{}) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := store.New(memory.New())
			commit(t, s, fill)
			view := s.NewView()
			if _, err := view.Serving(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, build := range batches {
				var b store.Batch
				build(&b)
				if _, err := s.Commit(t.Context(), &b); err != nil && !errors.Is(err, store.ErrConflict) {
					t.Fatal(err)
				}
			}
			serving, err := view.Serving(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got, err := serving.Stages[0].Frozen.Definition()
			want, _, errStored := store.Get(t.Context(), s, key)
			if err := errors.Join(err, errStored); err != nil || !reflect.DeepEqual(*got, want) {
				t.Errorf("got %+v, want %+v, %v", *got, want, err)
			}
			runtime.KeepAlive(serving)
		})
	}
}

// What a store has is put again as it is, and what was frozen is encoded as Put does.
func TestFrozenJSON(t *testing.T) {
	s := store.New(memory.New())
	d := large("one")
	first, second := store.Definitions(api).Key("first"), store.Definitions(api).Key("second")
	commit(t, s, func(b *store.Batch) { store.PutFrozen(b, first, store.Freeze(d), store.Expect{}) })
	stored, err := store.GetFrozen(t.Context(), s, first)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, func(b *store.Batch) { store.PutFrozen(b, second, stored, store.Expect{}) })
	var b store.Batch
	store.Put(&b, first, *d, store.Expect{})
	entries, _, err := s.Entries(t.Context())
	if err != nil || len(entries) != 2 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	for _, e := range entries {
		if text, err := e.JSON(); err != nil || string(text) != string(b.Changes()[0].Value) {
			t.Errorf("%s is %s, %v", e.Key, text, err)
		}
	}
	if _, err := store.GetFrozen(t.Context(), s, store.Definitions(api).Key("none")); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

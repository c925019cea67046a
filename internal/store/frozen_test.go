package store_test

import (
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

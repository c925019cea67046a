package functions_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/control/functions"
	"cleat/internal/draft"
	"cleat/internal/store"
	"cleat/internal/store/memory"
)

const arn = "arn:aws:lambda:us-east-1:123456789012:function:f"

func function() apigw.Function {
	return apigw.Function{Name: "f", ARN: arn, Runtime: "nodejs22.x", Handler: "index.handler", CodeSHA256: "a"}
}

func newFunctions(t *testing.T, effect func(context.Context, store.Revision)) (*functions.Functions, *store.Store) {
	t.Helper()
	s := store.New(memory.New())
	f := functions.New(s, effect)
	if _, err := f.Create(t.Context(), function(), false); err != nil {
		t.Fatal(err)
	}
	return f, s
}

// Of changes made at the same time none is lost, and no version number is given twice.
func TestConcurrentChanges(t *testing.T) {
	f, s := newFunctions(t, nil)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for { // a change that was in everybody's way each time is its sender's to repeat
				_, err := f.Update(t.Context(), "f", arn, "", func(f *apigw.Function) error {
					f.Environment = map[string]string{"N": strconv.Itoa(i)}
					return nil
				})
				if err == nil {
					_, err = f.Publish(t.Context(), "f", arn, functions.Publication{})
				}
				if err == nil {
					err = f.Tag(t.Context(), "f", arn, map[string]string{strconv.Itoa(i): ""}, nil)
				}
				if apigw.KindOf(err) == apigw.KindConflict {
					continue
				}
				if err != nil {
					t.Error(err)
				}
				return
			}
		})
	}
	wg.Wait()
	tree, err := s.FunctionTree(t.Context(), "f")
	if err != nil || len(tree.Function.Tags) != 4 || len(tree.Versions) == 0 {
		t.Fatalf("got %+v, %v", tree, err)
	}
	if last := functions.Versions(tree)[len(tree.Versions)-1]; last.Version != strconv.Itoa(tree.Function.LastVersion) {
		t.Errorf("the last version is %s, the count %d", last.Version, tree.Function.LastVersion)
	}
}

// A change is acknowledged when it has taken effect; what was refused has none.
func TestEffect(t *testing.T) {
	var seen []store.Revision
	f, _ := newFunctions(t, func(_ context.Context, r store.Revision) { seen = append(seen, r) })
	if _, err := f.Update(t.Context(), "f", arn, "another", func(*apigw.Function) error { return nil }); apigw.KindOf(err) != apigw.KindPreconditionFailed {
		t.Errorf("got %v", err)
	}
	if err := f.Delete(t.Context(), "f", arn, ""); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 2 || seen[1] <= seen[0] {
		t.Errorf("got %v", seen)
	}
}

// With a function goes all that belongs to it, and nothing of one with a longer name.
func TestDelete(t *testing.T) {
	f, s := newFunctions(t, nil)
	other := function()
	other.Name = "f-2"
	if _, err := f.Create(t.Context(), other, true); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		second(f.Publish(t.Context(), "f", arn, functions.Publication{})),
		f.CreateAlias(t.Context(), arn, apigw.FunctionAlias{Function: "f", Name: "live", Version: "1"}),
		f.AddPermission(t.Context(), "f", arn, "live", "", apigw.FunctionStatement{Sid: "s", Action: "lambda:InvokeFunction"}),
		f.AddPermission(t.Context(), "f", arn, "", "", apigw.FunctionStatement{Sid: "s", Action: "lambda:InvokeFunction"}),
		f.Delete(t.Context(), "f", arn, ""),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	trees, _, err := s.FunctionTrees(t.Context())
	if err != nil || len(trees) != 1 || trees[0].Function.Name != "f-2" || len(trees[0].Versions) != 1 {
		t.Errorf("left: %+v, %v", trees, err)
	}
}

func second(_ any, err error) error { return err }

// What the store cannot hold is the sender's doing, and the function stays as it was.
func TestTooLarge(t *testing.T) {
	f, s := newFunctions(t, nil)
	_, err := f.Update(t.Context(), "f", arn, "", func(f *apigw.Function) error {
		return functions.Set(f, "Layers", []byte(`["`+strings.Repeat("x", store.MaxValue)+`"]`))
	})
	if apigw.KindOf(err) != apigw.KindBadRequest || !errors.Is(err, store.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	if tree, err := s.FunctionTree(t.Context(), "f"); err != nil || len(tree.Function.Settings) > 0 {
		t.Errorf("got %+v, %v", tree, err)
	}
}

// Templates and Lambda's API hold a definition to the same rules.
func TestChecksAreDrafts(t *testing.T) {
	for name, spoil := range map[string]func(*apigw.Function){
		"name":    func(f *apigw.Function) { f.Name = "a.b" },
		"runtime": func(f *apigw.Function) { f.Runtime = "" },
		"handler": func(f *apigw.Function) { f.Handler = "" },
		"timeout": func(f *apigw.Function) { f.Timeout = -1 },
		"memory":  func(f *apigw.Function) { f.MemorySize = 64 },
	} {
		f := function()
		spoil(&f)
		_, err := functions.New(store.New(memory.New()), nil).Create(t.Context(), f, false)
		if want := draft.CheckFunction(&f).Err(); want == nil || err == nil || err.Error() != want.Error() {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
}

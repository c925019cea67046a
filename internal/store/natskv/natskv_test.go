package natskv_test

import (
	"testing"

	"go.uber.org/goleak"

	"cleat/internal/store"
	"cleat/internal/store/natskv"
	"cleat/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens a store and closes it with the test.
func open(tb testing.TB, o natskv.Options) *natskv.Driver {
	tb.Helper()
	d, err := natskv.Open(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Error(err)
		}
	})
	return d
}

func TestDriver(t *testing.T) {
	storetest.Run(t, func(tb testing.TB) store.Driver {
		return open(tb, natskv.Options{Dir: tb.TempDir(), NoSync: true})
	})
}

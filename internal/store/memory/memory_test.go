package memory_test

import (
	"testing"

	"go.uber.org/goleak"

	"cleat/internal/store"
	"cleat/internal/store/memory"
	"cleat/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDriver(t *testing.T) {
	storetest.Run(t, func(testing.TB) store.Driver { return memory.New() })
}

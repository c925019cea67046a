//go:build !unix

package backend_test

import (
	"testing"
	"time"
)

func processorTime(testing.TB) time.Duration { return 0 }

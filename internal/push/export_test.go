package push

import (
	"sync"

	"cleat/internal/apigw"
)

// Split is what tests of the inside need.
func Split(rest, whole string) (apigw.ConnectionID, bool) { return split(rest, whole) }

// ForgetBuffers lets go of those that are kept for bodies.
func ForgetBuffers() { contents = sync.Pool{New: contents.New} }

package push

import "sync"

// Split is what tests of the inside need.
var Split = split

// ForgetBuffers lets go of those that are kept for bodies.
func ForgetBuffers() { contents = sync.Pool{New: contents.New} }

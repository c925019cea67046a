//go:build linux

package run

import (
	"fmt"
	"time"
)

// remaining estimates how long a run will still take, by how long what is done took.
type remaining struct {
	expected    time.Duration // of what is not done yet
	done, spent time.Duration // what was expected of what is done, and what it took
}

// took tells that something is done.
func (r *remaining) took(expected, spent time.Duration) {
	r.skip(expected)
	r.done += expected
	r.spent += spent
}

// skip tells that something will not be done.
func (r *remaining) skip(expected time.Duration) { r.expected -= expected }

// left is the estimate, for a line of progress. It is empty before anything is done.
func (r *remaining) left() string {
	if r.done == 0 {
		return ""
	}
	left := time.Duration(float64(r.expected) * float64(r.spent) / float64(r.done))
	return fmt.Sprintf(", about %v left", left.Round(time.Second))
}

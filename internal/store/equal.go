package store

import (
	"bytes"
	"encoding/json"
	"reflect"
)

// Equal tells whether two definitions are the same to the store: they are compared by their JSON, where nil and empty are
// one. Most of what is compared has not been touched, which is seen without that.
func Equal[T any](a, b T) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

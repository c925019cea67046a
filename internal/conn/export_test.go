package conn

import "unsafe"

// MaxDeparted is how many ended connections a Hub remembers.
const MaxDeparted = maxDeparted

// What each connection has of the table, in bytes.
const (
	SlotSize = unsafe.Sizeof(slot{})
	RefsSize = unsafe.Sizeof(refs{})
)

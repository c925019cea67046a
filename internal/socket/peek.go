package socket

// State is what a socket has for whoever reads it next.
type State uint8

// The states, as Peek finds them.
const (
	Unknown State = iota // it cannot be looked at: it is no socket, or on this system nothing can be
	Silent               // a read would wait
	Ready                // there are bytes
	Ended                // its peer has ended it, or it is broken or closed
)

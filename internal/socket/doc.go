// Package socket accepts TCP connections and holds them without package net's share of the work, for as long as nobody
// has to wait for them. What a handshake costs is mostly system calls: net asks for the local address of each connection,
// sets its options, puts it into the runtime's poller and takes it out again, and who wants the bare descriptor has to
// duplicate it. The request of a client that waits in the kernel's queue is usually there when its connection is
// accepted, so one read, one write and the descriptor itself are all that a WebSocket handshake takes.
//
// There is something of that on Linux alone: elsewhere NewListener returns package net's, and its Accept is all there is.
// Read and Write, of bare descriptors, are for every Unix.
package socket

// Package meter counts in the units that AWS charges (spec pricing): messages in steps of 32 KB, in and out, per API, stage
// and route, and the time of connections, per API and stage. It is told of every record of the gateway and knows no prices;
// those are package pricing's.
//
// Counting must cost a message next to nothing: it is one look-up in an immutable map and an addition in a counter that
// other cores rarely share. An idle connection costs nothing at all: of the open ones only their number and sums of when
// they began are kept.
package meter

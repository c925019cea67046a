// Package frame reads and writes WebSocket frames (RFC 6455) as a server does: it takes masked frames apart, checks
// everything the RFC and API Gateway's quotas ask for (spec data-plane §3.2), puts fragments together, and appends
// unmasked frames to a buffer.
//
// It is pure: bytes go in, events and bytes come out. It owns no socket, no goroutine and no clock. It inflates and
// deflates messages where permessage-deflate was negotiated (RFC 7692), which package listen does; without it a set
// reserved bit is an error. Package conn calls it.
package frame

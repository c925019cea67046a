// Package conn holds this node's WebSocket connections. A Hub takes a connection over once its handshake is answered,
// reads and checks its frames, hands complete messages to a Handler, sends messages to it by ID, keeps API Gateway's
// timers and limits (spec data-plane §3) and reports, exactly once, how it ended.
//
// It is ignorant of APIs, stages, routes and backends: what the layer above wants to remember of a connection travels
// along as an opaque attachment. Packages gateway and push call it; listen is handed its ServerTLS.
//
// An idle connection costs no goroutine, no buffer and no runtime timer where the operating system allows it. DESIGN.md
// says how, and why not in a simpler way.
package conn

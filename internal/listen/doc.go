// Package listen is where clients come in: it accepts connections, tells TLS from plain HTTP by the first byte, lets
// http1 read the plain requests and net/http the others (HTTP/1.1 only), checks WebSocket handshakes and says which API
// and stage an address means. Guard keeps web pages of other origins away from a development node; Proxy answers CONNECT
// for functions that reach the node by AWS's host names.
//
// What it leaves to others: it knows no API beyond a Directory, keeps no certificate (Options.TLS makes the server side
// of TLS) and owns no WebSocket. Once a handler has hijacked a connection, that connection is the handler's alone.
//
//	accept -> first byte -> TLS (in turn) -> http1 or net/http reads the head -> Handler --TakeOver--> conn
//	                                                                              '--> answer, keep-alive
//
// Package server builds a Server and its guards; package gateway calls Resolve, CheckUpgrade, Fields and
// AppendSwitching.
package listen

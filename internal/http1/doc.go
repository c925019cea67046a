// Package http1 serves the plain majority of HTTP/1.1 requests (RFC 9110, RFC 9112) for a fraction of what net/http's
// server costs: pushes, handshakes, health checks. It is no general server. A request is plain when nothing about it
// can be read in two ways: Parse says what that takes. Of the first one that is not, Serve hands all bytes back, and
// the caller has net/http serve the connection from there to its end, in its own words. So the two must agree wherever
// both would serve: what Parse accepts net/http accepts too and reads alike (FuzzParse), and an answer is the same
// byte for byte whichever server sent it (TestSameAnswers). The one way in which they may differ is the cost.
//
// Two parts of net/http's ResponseWriter are missing, which no handler of this program uses: trailers, and full duplex.
//
// There is one goroutine for each connection and none for its requests. That a client has gone is found out when
// somebody asks: Done of a request's context begins to watch the connection, Err looks once.
package http1

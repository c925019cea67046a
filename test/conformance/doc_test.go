// Package conformance_test holds Cleat to RFC 6455 (WebSocket) and RFC 7692 (permessage-deflate), from outside: it sends bytes
// over TCP and TLS to a real listener and checks every byte that comes back. Cases are data (cases_*_test.go), numbered by
// section after the list of the Autobahn test suite, so that results can be compared; what a case is and how one is played is
// script_test.go, the client with its own strict reading of frames is client_test.go. The client shares no code with what
// it tests. TestSuiteDetects turns it round: played against a server that believes everything, every case that stands for
// a rule must fail, and every other must pass.
//
//	make conformance                                                   # everything, with the table of results
//	go test ./test/conformance -run 'TestConformance/epoll/tls' -only 6.4
package conformance_test

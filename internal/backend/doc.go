// Package backend calls what lies behind integrations over the network: HTTP backends, directly or through VPC links,
// AWS services, and Lambda functions that run elsewhere. It knows nothing of routes, events or mappings: package integration shapes the calls, package server
// builds the callers. Redirects are never followed.
//
// Plain HTTP has a client of its own (docs/decisions/0007-http-client.md): pool keeps the connections, plainRequest writes a
// request as net/http writes it, answerReader reads an answer as net/http reads it. What is unusual in either is net/http's
// own, as is all that goes over TLS or through a proxy. A call that may have reached its backend is not made again, unless its
// method only reads and its kept connection ended without an answer.
package backend

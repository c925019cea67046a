// Package backend calls what lies behind integrations over the network: HTTP backends, directly or through VPC links,
// AWS services, and Lambda functions that run elsewhere. It knows nothing of routes, events or mappings: package integration shapes the calls, package server
// builds the callers. Redirects are never followed. A call that may
// have reached its backend is not made again, except by net/http's rule for methods that cannot do harm twice.
package backend

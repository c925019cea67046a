// Package localca is a certificate authority for one user's machine. It lives in a directory of that user, makes
// certificates for local names and for AWS's default endpoints as clients ask for them, and is never added to the
// system's trust store: only processes that are told to (NODE_EXTRA_CA_CERTS and its like) trust it.
//
// It refuses names that are neither local nor AWS's nor explicitly allowed, so a stolen key is of little use to anybody
// who cannot already speak for those names to processes that trust the authority. It is for development; package
// server uses it for the TLS side of "dev".
package localca

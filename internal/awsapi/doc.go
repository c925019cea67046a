// Package awsapi is the wire side of AWS's APIs that many packages share: error statuses, types and bodies, ARNs,
// Signature Version 4 (sigv4.go, sign.go, verify.go), and the Lambda Invoke call as values. It does no I/O beyond writing
// an answer it is handed the writer of.
package awsapi

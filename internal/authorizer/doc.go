// Package authorizer decides who may connect and call: at $connect by AWS_IAM, and on @connections (iam.go; spec
// events-and-integrations §4, management-api §2). It keeps nothing of a client. Package gateway calls it and keeps what it
// grants.
package authorizer

// Package authorizer decides who may connect and call: at $connect, before anything else of the route runs, by a Lambda
// REQUEST authorizer (request.go; spec events-and-integrations §3) or by AWS_IAM, and on @connections by AWS_IAM too (iam.go;
// spec events-and-integrations §4, management-api §2). It caches no answer, for AWS caches none here either, and keeps
// nothing of a client. Package gateway calls it and keeps what it grants.
package authorizer

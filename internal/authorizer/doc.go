// Package authorizer decides who may connect: at $connect, before anything else of the route runs, by a Lambda REQUEST
// authorizer (spec events-and-integrations §3). It calls the function, reads its answer and evaluates the policy in it;
// it caches nothing, for AWS caches nothing here either, and keeps nothing of a client. Package gateway calls it and keeps
// what it grants.
package authorizer

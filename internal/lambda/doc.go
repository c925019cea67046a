// Package lambda runs Lambda functions whose code is a folder on this machine, as AWS Lambda does (spec lambda): each
// in worker processes that speak the Lambda Runtime API, one invocation at a time per worker, started on demand, kept
// warm and replaced when their code changes. It knows the Node, Python and provided.* runtimes; handlers in TypeScript
// are bundled in-process. Its own runtimes for Node and Python talk to it over a channel that costs less than HTTP.
//
// It also makes unmodified code find Cleat (type Capture): in the worker, and nowhere else, the host names of API
// Gateway's own endpoints lead to Cleat.
//
// A worker runs with the user's rights and is not confined: the package isolates functions from each other's crashes,
// not the machine from the functions. It calls no function that lives elsewhere; package backend does.
package lambda

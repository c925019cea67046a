// Package control holds the operations by which API Gateway's resources are made, changed and deleted one at a time
// (spec control-plane §2 to §14): CreateAPI, CreateRoute and their like are what requests of apigatewayv2 and apigateway,
// and the console, call. It changes definitions in the store and nothing else; the data plane sees them there.
//
// What a definition must look like, its defaults and the words with which AWS refuses it are package draft's, for
// templates make the same things. Below this package stand the operations of other services, over the same drafts:
// stacks, which gives whole templates effect, and functions, which are Lambda's.
package control

// Package control holds the rules of APIs: what may be created, changed and deleted, with which defaults, and with which
// words AWS refuses (spec control-plane §1.1 to §12). It changes definitions in the store and nothing else; the data
// plane sees them there.
//
// There are two ways in, over the same checks. The operations (CreateAPI, CreateRoute, ...) are what apigatewayv2
// requests and the console call. Apply gives a whole CloudFormation template effect at once, as a deployment of its stack
// would: everything or nothing, in place, in one commit.
//
// An API and all below it is changed as one draft (draft.go); custom domain names and their API mappings, which belong to
// no API, as domains (domains.go); API keys and usage plans as usage (usage.go).
package control

// Package draft holds what a definition must look like, and what is being changed in memory before it is committed: one
// API with all that belongs to it (API), the node's custom domain names (Domains), its API keys and usage plans (Usage).
//
// Every way to change a definition goes over a draft: an operation of the control plane makes one change of one draft, a
// template changes several of all kinds, and both write theirs into one batch of the store. So both have the same checks,
// defaults and texts (spec control-plane §1.1 to §14).
//
// The methods that change a draft return what is wrong with the change, and make it all the same: that keeps one fault
// from causing others. A draft with anything wrong is thrown away in the end. A draft is for one goroutine.
package draft

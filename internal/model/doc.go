// Package model is the models of an API: JSON schemas of draft-04, and what they say of a message (spec
// events-and-integrations §9, control-plane §9).
//
// A schema is read and checked by github.com/santhosh-tekuri/jsonschema, which also follows its references; none leads
// outside of the API's own models, so nothing is ever loaded from a network or a file. Messages are judged by this package
// itself, on their bytes: a message comes from anybody, so the work that it may cause is counted and ends, numbers are
// compared as decimals without ever being spelt out, and the objections are worded as AWS words them. Tests hold the
// verdicts to the library's.
//
// Package control compiles models when they are defined, package gateway when they are deployed.
package model

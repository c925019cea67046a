// Package lambdaevent writes the JSON that Lambda functions receive: the event of an AWS_PROXY integration and that of a
// REQUEST authorizer (spec events-and-integrations §1 and §3). It writes the bytes straight from an event, without a tree
// in between, and calls nothing: packages integration and authorizer send what it wrote.
package lambdaevent

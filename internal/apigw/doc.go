// Package apigw is the vocabulary of API Gateway's WebSocket APIs: resources, identifiers, events, quotas and the
// closed set of error kinds. It holds values and no behaviour beyond looking into them; every other package speaks
// in its terms. It imports the standard library only.
package apigw

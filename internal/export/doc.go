// Package export reads one WebSocket API by the calls of apigatewayv2 (and, for API keys, apigateway), from a Cleat node, from
// AWS or any endpoint that speaks like it, and writes it as a project: CloudFormation, which holds all of it, or cleat.yaml, where
// the API fits. What it writes has no identifiers of the API's own, so that the same API gives the same text wherever it lives.
// It changes nothing; "cleat export" and "cleat import" call it.
package export

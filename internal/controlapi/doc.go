// Package controlapi is what every API of the control plane shares: which operation a request is of, who may call it,
// how it is answered and who hears of it. The services themselves are in packages below this one, a table of Operations
// each: apigatewayv2, apigateway, lambdaapi, iamapi, stackapi. They call control and its like; what a definition must be
// is decided there and not here.
package controlapi

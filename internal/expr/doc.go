// Package expr is API Gateway's selection expressions: small texts such as "$request.body.action" or
// "${request.body.service}/${request.body.op}" that pick a route, a model, a template or an integration response. It
// parses and evaluates them and knows nothing of what the result selects (spec data-plane §4.2).
//
// Judgements, where AWS is silent:
//
//   - Of duplicate members in a message the last counts, as in Jackson and encoding/json.
//   - A number yields its text as sent (1.0 stays "1.0"); an object or an array yields its JSON text as sent.
//   - A member name in a path may hold any character but blanks, control characters and . [ ] { } $ \ ' ".
//   - A bare $default, which every other expression writes as \$default, is allowed wherever $default names an entry of
//     a map: in model and template expressions.
package expr

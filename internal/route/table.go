// Package route is the compiled route table of one deployment: it turns a client's message into the route that handles
// it. It knows nothing of what stands behind a route, and it never matches the reserved route keys against a message.
// Package gateway builds a table for each snapshot and asks it once per message.
package route

import (
	"fmt"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/expr"
)

// Table maps messages to routes. It is immutable and safe for concurrent use.
type Table[T any] struct {
	expression *expr.Expression
	reserved   map[string]T        // $connect, $disconnect, $default
	custom     map[string]entry[T] // what messages may select by value
}

// entry holds its own key, so that Select returns a text that was there before.
type entry[T any] struct {
	key   string
	value T
}

// Compile makes a table of routes by route key. expression is the API's routeSelectionExpression. It fails on an
// expression that does not parse and on a key that no route may have (spec data-plane §4.1).
func Compile[T any](expression string, routes map[string]T) (*Table[T], error) {
	e, err := expr.Parse(expr.Route, expression)
	if err != nil {
		return nil, fmt.Errorf("compile route table: %w", err)
	}
	t := &Table[T]{expression: e, reserved: map[string]T{}, custom: make(map[string]entry[T], len(routes))}
	for key, v := range routes {
		if err := expr.CheckRouteKey(key); err != nil {
			return nil, fmt.Errorf("compile route table: %w", err)
		}
		if strings.HasPrefix(key, "$") {
			t.reserved[key] = v
		} else {
			t.custom[key] = entry[T]{key, v}
		}
	}
	return t, nil
}

// Select returns the route for a message: the one whose key equals what the expression yields, letter for letter, else
// $default. ok is false when there is neither; the client then gets a Forbidden frame. A message that is no JSON object
// selects $default, and so does one that names a reserved key: no message runs $connect or $disconnect (spec data-plane
// §4.3, open-questions 58 and 59).
func (t *Table[T]) Select(body []byte) (key string, v T, ok bool) {
	var buf [apigw.QuotaRouteKey]byte
	if value, object := t.expression.AppendBody(buf[:0], body); object {
		if e, ok := t.custom[string(value)]; ok {
			return e.key, e.value, true
		}
	}
	v, ok = t.reserved[apigw.RouteDefault]
	if !ok {
		return "", v, false
	}
	return apigw.RouteDefault, v, true
}

// Explain returns what the expression yields for a message, which is what Select looked for: for logs and consoles.
// object is false for a message that is no JSON object, which yields nothing.
func (t *Table[T]) Explain(body []byte) (value string, object bool) {
	text, object := t.expression.AppendBody(nil, body)
	if !object {
		return "", false
	}
	return string(text), true
}

// Expression is the route selection expression as it was written.
func (t *Table[T]) Expression() string { return t.expression.String() }

// Lookup returns the route of a route key, reserved ones included.
func (t *Table[T]) Lookup(key string) (T, bool) {
	if v, ok := t.reserved[key]; ok {
		return v, true
	}
	e, ok := t.custom[key]
	return e.value, ok
}

package vtl

import (
	"math/big"
	"strconv"

	"cleat/internal/jsonpath"
)

// print writes a value as Java prints it.
func (r *renderer) print(at int, v any) {
	before := len(r.out)
	r.limit = before + maxOutput
	r.out = r.appendValue(at, r.out, v, 0)
	if len(r.out)-r.start > maxOutput {
		r.fail(at, "the template's output is longer than %d bytes", maxOutput)
	}
	r.step(at, (len(r.out)-before)/bytesPerStep)
}

// string is a value as text; null and what is missing are no text.
func (r *renderer) string(at int, v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case missing:
		r.made(at, 0)
		return ""
	}
	room := r.text // nobody else's while it is in use: printing may come back here
	r.text = nil
	r.limit = maxOutput
	text := r.appendValue(at, room[:0], v, 0)
	r.made(at, len(text))
	s := string(text)
	r.text = text
	return s
}

// appendValue is Java's toString: {k=v} for a map, [a, b] for a list of the template's own, JSON for a list out of a
// document (spec mapping-templates §2).
func (r *renderer) appendValue(at int, dst []byte, v any, depth int) []byte {
	if depth > maxPrintDepth || len(dst) > r.limit {
		r.fail(at, "a value that is too large to print, or a part of itself")
	}
	switch v := v.(type) {
	case string:
		return append(dst, v...)
	case bool:
		return strconv.AppendBool(dst, v)
	case int32:
		return strconv.AppendInt(dst, int64(v), 10)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case float64:
		return jsonpath.AppendDouble(dst, v)
	case *big.Int:
		return v.Append(dst, 10)
	case jsonpath.Decimal:
		return append(dst, v...)
	case *jsonpath.Array:
		return r.appendList(at, dst, v, depth)
	case *jsonpath.Object:
		return r.appendMap(at, dst, v, depth)
	case *contextObject:
		return r.appendMap(at, dst, v.whole(), depth)
	case *entry:
		dst = append(append(dst, v.name...), '=')
		return r.appendElement(at, dst, v.value(), depth)
	case *definition:
		r.enter(at, "a #define")
		limit := r.limit
		here := r.source
		r.source = v.from
		text := r.capture(v.at, v.body)
		r.source = here
		r.limit = limit
		r.leave()
		return append(dst, text...)
	}
	return dst // $input, $util and their like have no text worth printing
}

func (r *renderer) appendElement(at int, dst []byte, v any, depth int) []byte {
	if v == nil {
		return append(dst, "null"...)
	}
	return r.appendValue(at, dst, v, depth+1)
}

func (r *renderer) appendList(at int, dst []byte, list *jsonpath.Array, depth int) []byte {
	if !list.Java {
		out, err := jsonpath.Append(dst, list, max(r.limit-len(dst), 0))
		if err != nil {
			r.fail(at, "a list of JSON cannot be printed: %v", err)
		}
		return out
	}
	r.step(at, len(list.Items))
	dst = append(dst, '[')
	for i, item := range list.Items {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = r.appendElement(at, dst, item, depth)
	}
	return append(dst, ']')
}

func (r *renderer) appendMap(at int, dst []byte, o *jsonpath.Object, depth int) []byte {
	r.step(at, o.Len())
	dst = append(dst, '{')
	for i, m := range o.Members() {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(append(dst, m.Name...), '=')
		dst = r.appendElement(at, dst, m.Value, depth)
	}
	return append(dst, '}')
}

package cfn

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"sort"
	"strconv"
	"strings"
)

// looksLikeJSON reports whether a text is JSON rather than YAML in general. JSON gets a reader of its own, because YAML's
// takes neither tabs for indentation nor surrogate pairs.
func looksLikeJSON(text []byte) bool {
	text = bytes.TrimLeft(bytes.TrimPrefix(text, []byte("\ufeff")), " \t\r\n")
	return len(text) > 0 && (text[0] == '{' || text[0] == '[') && json.Valid(text)
}

// jsonFault says what keeps a text from being JSON and where.
func jsonFault(file string, text []byte) error {
	var faults Faults
	var v any
	err := json.Unmarshal(text, &v)
	if err == nil {
		return nil
	}
	at := Place{File: file}
	if se, ok := errors.AsType[*json.SyntaxError](err); ok {
		at = newLines(file, text).place(int(se.Offset) - 1)
	}
	faults.Addf(at, "not valid JSON: %s", strings.TrimPrefix(err.Error(), "json: "))
	return faults
}

// lines finds the line and column of an offset.
type lines struct {
	file   string
	starts []int // offsets of each line's first byte
}

func newLines(file string, text []byte) lines {
	l := lines{file: file, starts: []int{0}}
	for i, c := range text {
		if c == '\n' {
			l.starts = append(l.starts, i+1)
		}
	}
	return l
}

func (l lines) place(offset int) Place {
	n := max(sort.SearchInts(l.starts, offset+1), 1)
	return Place{File: l.file, Line: n, Column: offset - l.starts[n-1] + 1}
}

// jsonReader reads valid JSON into Values.
type jsonReader struct {
	text   []byte
	dec    *json.Decoder
	lines  lines
	budget *budget
	faults Faults
}

func parseJSON(file string, text []byte) (*Value, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	r := jsonReader{text: text, dec: json.NewDecoder(bytes.NewReader(text)), lines: newLines(file, text), budget: &budget{}}
	r.dec.UseNumber()
	v, err := r.value(0)
	if err != nil && !errors.Is(err, errBudget) { // which has a fault
		r.faults.Addf(r.place(), "not valid JSON: %v", err)
	}
	return v, r.faults.Err()
}

// errBudget ends the reading of a text that is too large.
var errBudget = errors.New("over the budget")

// place is where the next token begins.
func (r *jsonReader) place() Place {
	i := int(r.dec.InputOffset())
	for i < len(r.text) && strings.IndexByte(" \t\r\n,:", r.text[i]) >= 0 {
		i++
	}
	return r.lines.place(i)
}

func (r *jsonReader) value(depth int) (*Value, error) {
	at := r.place()
	if !r.budget.spend(depth) {
		r.budget.fault(&r.faults, at)
		return nil, errBudget
	}
	token, err := r.dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return r.object(at, depth)
		}
		return r.array(at, depth)
	case string:
		return TextOf(at, t), nil
	case json.Number:
		return &Value{Kind: Number, Text: t.String(), Place: at}, nil
	case bool:
		return BoolOf(at, t), nil
	}
	return &Value{Place: at}, nil
}

func (r *jsonReader) object(at Place, depth int) (*Value, error) {
	v := &Value{Kind: Map, Place: at}
	seen := map[string]bool{}
	for r.dec.More() {
		keyAt := r.place()
		token, err := r.dec.Token()
		if err != nil {
			return nil, err
		}
		key, ok := token.(string)
		if !ok {
			return nil, errors.New("a key is not text")
		}
		if seen[key] {
			r.faults.Addf(keyAt, "%q is given twice", key)
		}
		seen[key] = true
		item, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		v.Keys = append(v.Keys, Entry{key, keyAt, item})
	}
	_, err := r.dec.Token() // the closing brace
	return v, err
}

func (r *jsonReader) array(at Place, depth int) (*Value, error) {
	v := &Value{Kind: List, Place: at}
	for r.dec.More() {
		item, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		v.Items = append(v.Items, item)
	}
	_, err := r.dec.Token() // the closing bracket
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return v, err
}

// AppendJSON appends v as JSON, keys in order, without blanks. A nil Value is null. Numbers that YAML can write and
// JSON cannot (0x1F, .5, 1_000) are converted; those that JSON has no number for (.inf) become text.
func (v *Value) AppendJSON(b []byte) []byte {
	if v == nil {
		return append(b, "null"...)
	}
	switch v.Kind {
	case Bool:
		return append(b, v.Text...)
	case Number:
		return appendJSONNumber(b, v.Text)
	case String:
		return appendJSONText(b, v.Text)
	case List:
		b = append(b, '[')
		for i, item := range v.Items {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.AppendJSON(b)
		}
		return append(b, ']')
	case Map:
		b = append(b, '{')
		for i, e := range v.Keys {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendJSONText(b, e.Key), ':')
			b = e.Value.AppendJSON(b)
		}
		return append(b, '}')
	default:
		return append(b, "null"...)
	}
}

func appendJSONNumber(b []byte, text string) []byte {
	if json.Valid([]byte(text)) {
		return append(b, text...)
	}
	plain := strings.TrimPrefix(strings.ReplaceAll(text, "_", ""), "+")
	if n, err := strconv.ParseInt(plain, 0, 64); err == nil {
		return strconv.AppendInt(b, n, 10)
	}
	if f, err := strconv.ParseFloat(plain, 64); err == nil {
		if j, err := json.Marshal(f); err == nil {
			return append(b, j...)
		}
	}
	return appendJSONText(b, text)
}

// appendJSONText does not escape <, > and &, which encoding/json does for the sake of HTML.
func appendJSONText(b []byte, s string) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return strconv.AppendQuote(b, s) // not reached: text always encodes
	}
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

package expr

import (
	"strconv"

	"cleat/internal/apigw"
	"cleat/internal/jsonpath"
)

// Vars are the values that an expression may refer to. Those left zero are absent and yield the empty string.
type Vars struct {
	Body               []byte       // request.body: the message's text; only read
	Headers            apigw.Fields // request.header.{name}, found without regard to case; the last one counts
	UsageIdentifierKey string       // context.authorizer.usageIdentifierKey
	BasePath           string       // request.basepath
	Response           *Response    // integration.response
}

// Response is what an integration answered.
type Response struct {
	StatusCode   int          // zero: absent
	Headers      apigw.Fields // found without regard to case
	ErrorMessage string       // body.errorMessage of a failed Lambda function; empty when it succeeded
}

// IsObject reports whether a message is one valid JSON object. All others select nothing (spec data-plane §4.3 step 2,
// open-questions 58).
func IsObject(body []byte) bool {
	i := skipSpace(body, 0)
	return i < len(body) && body[i] == '{' && jsonpath.Valid(body)
}

// Eval returns what the expression yields. Text inserted from variables is not evaluated again.
func (e *Expression) Eval(vars Vars) string {
	if s, ok := e.Static(); ok {
		return s
	}
	return string(e.Append(nil, vars))
}

// Append is Eval that appends to dst, for callers that want no allocation.
func (e *Expression) Append(dst []byte, vars Vars) []byte {
	return e.append(dst, &vars, e.body && IsObject(vars.Body))
}

// AppendBody is Append where request.body is the only variable. It reports as well whether the body is a JSON object,
// which decides a message's route even under an expression that is static.
func (e *Expression) AppendBody(dst, body []byte) (out []byte, object bool) {
	object = IsObject(body)
	return e.append(dst, &Vars{Body: body}, object), object
}

func (e *Expression) append(dst []byte, vars *Vars, object bool) []byte {
	for i := range e.parts {
		p := &e.parts[i]
		switch p.from {
		case static:
			dst = append(dst, p.text...)
		case requestBody:
			if object {
				dst = appendText(dst, find(vars.Body, p.path))
			}
		case requestHeader:
			dst = appendLast(dst, vars.Headers, p.text)
		case requestBasePath:
			dst = append(dst, vars.BasePath...)
		case usageIdentifierKey:
			dst = append(dst, vars.UsageIdentifierKey...)
		case responseStatusCode, responseHeader, responseMultiValueHeader, responseErrorMessage:
			dst = p.appendResponse(dst, vars.Response)
		}
	}
	return dst
}

func (p *part) appendResponse(dst []byte, r *Response) []byte {
	switch {
	case r == nil:
		return dst
	case p.from == responseHeader:
		return appendLast(dst, r.Headers, p.text)
	case p.from == responseMultiValueHeader:
		return appendAll(dst, r.Headers, p.text)
	case p.from == responseErrorMessage:
		return append(dst, r.ErrorMessage...)
	case r.StatusCode != 0:
		return strconv.AppendInt(dst, int64(r.StatusCode), 10)
	}
	return dst
}

func appendLast(dst []byte, fields apigw.Fields, name string) []byte {
	s, _ := fields.LastFold(name) // absent is empty
	return append(dst, s...)
}

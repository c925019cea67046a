package integration

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"cleat/internal/apigw"
	"cleat/internal/jsonpath"
)

// proxyResponse is what a function of an AWS_PROXY integration answered.
type proxyResponse struct {
	status      int
	subprotocol string
	body        []byte
	hasBody     bool
}

// parseProxyResponse reads a function's answer; every row of the table of spec events-and-integrations §2 is here.
// An answer of null, or none at all, is a success except for a connect (open-questions 32 and 33).
func parseProxyResponse(payload []byte, connect bool) (proxyResponse, error) {
	p := proxyParser{out: proxyResponse{status: 200}}
	if len(payload) > apigw.QuotaLambdaPayload {
		return p.out, fmt.Errorf("it has %d bytes, more than Lambda's %d", len(payload), apigw.QuotaLambdaPayload)
	}
	payload = bytes.TrimSpace(payload)
	if len(payload) == 0 || string(payload) == "null" {
		if connect {
			return p.out, errors.New("it is null; $connect needs an object such as {\"statusCode\": 200}")
		}
		return p.out, nil
	}
	if payload[0] != '{' || !jsonpath.Valid(payload) {
		return p.out, fmt.Errorf("it is not a JSON object: %s", excerpt(string(payload[:min(len(payload), 64)])))
	}
	if !utf8.Valid(payload) {
		payload = bytes.ToValidUTF8(payload, []byte("\ufffd"))
	}
	gjson.ParseBytes(payload).ForEach(func(key, value gjson.Result) bool {
		p.err = p.member(key.Str, value)
		return p.err == nil
	})
	if p.err == nil {
		p.err = p.finish()
	}
	return p.out, p.err
}

// proxyParser gathers the members of a proxy response. Of duplicates the last one counts.
type proxyParser struct {
	out     proxyResponse
	err     error
	text    string // of body
	encoded bool   // isBase64Encoded
	single  string // subprotocol in headers
	multi   string // subprotocol in multiValueHeaders
}

func (p *proxyParser) member(key string, v gjson.Result) (err error) {
	switch key {
	case "statusCode":
		p.out.status, err = proxyStatus(v)
	case "headers":
		p.single, err = proxyHeaders(v, false)
	case "multiValueHeaders":
		p.multi, err = proxyHeaders(v, true)
	case "body":
		p.out.hasBody = v.Type != gjson.Null
		if v.IsObject() || v.IsArray() {
			return errors.New("body is not a string; use JSON.stringify or the like")
		}
		p.text = v.String()
		if v.Type == gjson.Number {
			p.text = v.Raw
		}
	case "isBase64Encoded":
		switch {
		case v.Type == gjson.Null, v.Type == gjson.False, strings.EqualFold(v.Str, "false"):
			p.encoded = false
		case v.Type == gjson.True, strings.EqualFold(v.Str, "true"):
			p.encoded = true
		default:
			return errors.New("isBase64Encoded is not a boolean")
		}
	default:
		return fmt.Errorf("it has a member %q; allowed are statusCode, headers, multiValueHeaders, body and isBase64Encoded", excerpt(key))
	}
	return err
}

func (p *proxyParser) finish() error {
	p.out.subprotocol = p.single
	if p.out.subprotocol == "" {
		p.out.subprotocol = p.multi
	}
	if !p.out.hasBody {
		return nil
	}
	p.out.body = []byte(p.text)
	if p.encoded {
		var err error
		if p.out.body, err = decodeBase64(p.out.body); err != nil {
			return fmt.Errorf("isBase64Encoded is true, but body is not base64: %w", err)
		}
	}
	return nil
}

// proxyStatus reads a status code: an integer, or a string that holds one.
func proxyStatus(v gjson.Result) (int, error) {
	n, err := 0, error(nil)
	switch v.Type {
	case gjson.Null:
		return 200, nil
	case gjson.Number:
		if v.Num != math.Trunc(v.Num) || math.Abs(v.Num) > 999 {
			return 0, fmt.Errorf("statusCode %s is not an HTTP status", v.Raw)
		}
		n = int(v.Num)
	case gjson.String:
		n, err = strconv.Atoi(v.Str)
	default:
		err = errors.New("neither a number nor a string")
	}
	if err != nil || n < 100 || n > 999 {
		return 0, fmt.Errorf("statusCode %s is not an HTTP status", excerpt(v.Raw))
	}
	return n, nil
}

const subprotocolHeader = "Sec-WebSocket-Protocol"

// proxyHeaders checks headers, or multiValueHeaders, and returns the one that matters to a WebSocket client. Values may
// be strings, booleans and numbers; a null counts as absent.
func proxyHeaders(v gjson.Result, multi bool) (subprotocol string, err error) {
	name := "headers"
	if multi {
		name = "multiValueHeaders"
	}
	if v.Type == gjson.Null {
		return "", nil
	}
	if !v.IsObject() {
		return "", fmt.Errorf("%s is not an object", name)
	}
	v.ForEach(func(key, value gjson.Result) bool {
		values := []gjson.Result{value}
		if multi {
			if value.Type == gjson.Null {
				return true
			}
			if !value.IsArray() {
				err = fmt.Errorf("multiValueHeaders: %q is not an array", excerpt(key.Str))
				return false
			}
			values = value.Array()
		}
		for _, one := range values {
			if one.Type == gjson.JSON {
				err = fmt.Errorf("%s: %q is neither a string, a number nor a boolean", name, excerpt(key.Str))
				return false
			}
			if one.Type != gjson.Null && strings.EqualFold(key.Str, subprotocolHeader) {
				subprotocol = one.String()
			}
		}
		return true
	})
	return subprotocol, err
}

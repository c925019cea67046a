package logformat

import (
	"strconv"
	"time"

	"cleat/internal/apigw"
)

// variable appends the value that a variable has for a record; nothing where it has none.
type variable func(dst []byte, rec *apigw.Record) []byte

func absent(dst []byte, _ *apigw.Record) []byte { return dst }

// messageString is the one variable that prints in quotes.
const messageString = "error.messageString"

// okStatus is the status of a message or a disconnect that went well, whatever its backend answered: nobody is told of
// that (spec data-plane §9.1).
const okStatus = 200

// variables are those that stand for more than the event's context. The steps' latencies are milliseconds.
var variables = map[string]variable{
	"status": func(dst []byte, rec *apigw.Record) []byte {
		if rec.Err == nil && rec.Operation != "connect" {
			return strconv.AppendInt(dst, okStatus, 10)
		}
		return number(dst, rec.Status)
	},
	"error.message":               func(dst []byte, rec *apigw.Record) []byte { return append(dst, rec.ErrorMessage...) },
	messageString:                 func(dst []byte, rec *apigw.Record) []byte { return append(dst, rec.ErrorMessage...) },
	"error.responseType":          func(dst []byte, rec *apigw.Record) []byte { return append(dst, rec.ResponseType...) },
	"error.validationErrorString": func(dst []byte, rec *apigw.Record) []byte { return append(dst, rec.ValidationError...) },

	"integration.error":             stepError(integration),
	"integrationErrorMessage":       stepError(integration),
	"integration.latency":           stepLatency(integration),
	"integrationLatency":            stepLatency(integration),
	"integration.requestId":         stepRequestID(integration),
	"integration.integrationStatus": stepStatus(integration),
	"integrationStatus":             stepStatus(integration),
	"integration.status":            func(dst []byte, rec *apigw.Record) []byte { return number(dst, rec.BackendStatus) },

	"authorizer.error":              stepError(authorizer),
	"authorizer.latency":            stepLatency(authorizer),
	"authorizer.integrationLatency": stepLatency(authorizer),
	"authorizer.requestId":          stepRequestID(authorizer),
	"authorizer.status":             stepStatus(authorizer),
	"authorizer.integrationStatus":  stepStatus(authorizer),

	"authorize.error":      stepError(authorize),
	"authorize.latency":    stepLatency(authorize),
	"authorize.status":     stepStatus(authorize),
	"authenticate.error":   stepError(authenticate),
	"authenticate.latency": stepLatency(authenticate),
	"authenticate.status":  stepStatus(authenticate),

	// No web application firewall stands before a WebSocket API's messages (spec data-plane §2 step 4): these exist and
	// are always empty.
	"waf.error": absent, "waf.latency": absent, "waf.status": absent, "wafResponseCode": absent, "webaclArn": absent,
}

// find returns the variable of a name, nil when there is none. A name below authorizer. that is no step's belongs to the
// authorizer's context.
func find(name string) variable {
	if v, ok := variables[name]; ok {
		return v
	}
	if apigw.IsContextVariable(name) {
		return lookup(name)
	}
	return nil
}

func lookup(name string) variable {
	return func(dst []byte, rec *apigw.Record) []byte {
		if rec.Event == nil {
			return dst
		}
		s, _ := rec.Event.Context.Lookup(name) // absent is empty
		return append(dst, s...)
	}
}

// The steps of a record.
func integration(rec *apigw.Record) *apigw.Step  { return &rec.Integration }
func authorizer(rec *apigw.Record) *apigw.Step   { return &rec.Authorizer }
func authorize(rec *apigw.Record) *apigw.Step    { return &rec.Authorize }
func authenticate(rec *apigw.Record) *apigw.Step { return &rec.Authenticate }

func stepError(step func(*apigw.Record) *apigw.Step) variable {
	return func(dst []byte, rec *apigw.Record) []byte { return append(dst, step(rec).Error...) }
}

func stepRequestID(step func(*apigw.Record) *apigw.Step) variable {
	return func(dst []byte, rec *apigw.Record) []byte { return append(dst, step(rec).RequestID...) }
}

func stepStatus(step func(*apigw.Record) *apigw.Step) variable {
	return func(dst []byte, rec *apigw.Record) []byte { return number(dst, step(rec).Status) }
}

func stepLatency(step func(*apigw.Record) *apigw.Step) variable {
	return func(dst []byte, rec *apigw.Record) []byte {
		s := step(rec)
		if !s.Taken {
			return dst
		}
		return strconv.AppendInt(dst, int64(s.Latency/time.Millisecond), 10)
	}
}

// number appends a status; zero stands for none.
func number(dst []byte, n int) []byte {
	if n == 0 {
		return dst
	}
	return strconv.AppendInt(dst, int64(n), 10)
}

package eventstream_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/eventstream"
)

// The names and forms of members are what readers of GET /_cleat/events rely on.
func TestEvent(t *testing.T) {
	at := time.Date(2026, 3, 1, 13, 4, 5, 678_900_000, time.FixedZone("", 3600))
	for name, test := range map[string]struct {
		record apigw.Record
		want   string
	}{
		"nothing but a time": {
			apigw.Record{Time: at, Operation: "post"},
			`{"time":"2026-03-01T12:04:05.678Z","operation":"post","ms":0}`,
		},
		"everything": {
			apigw.Record{
				Time: at, Operation: "message", APIID: "a1b2c3d4e5", Stage: "dev", ConnectionID: "Qyi07eCbtjMCJKw=", RequestID: "W9I-JG0qoAMFxGA=",
				RouteKey: "$default", Selected: "ask", Target: "f", Path: "/dev", SourceIP: "192.0.2.1", Status: 502, BackendStatus: 200,
				Duration: 1_234_567 * time.Nanosecond, BytesIn: 17, BytesOut: 90, CloseCode: 1001, CloseReason: "Going away",
				Err:          &apigw.Error{Kind: apigw.KindIntegrationFailure, Err: errors.New("it threw\nat line 1")},
				ErrorMessage: "Internal server error", ResponseType: "INTEGRATION_FAILURE", ValidationError: "[no price]",
				Authenticate: apigw.Step{Taken: true, Status: 200, Latency: 2 * time.Millisecond},
				Authorizer:   apigw.Step{Taken: true, Status: 200, Latency: 15 * time.Microsecond, RequestID: "r1"},
				Authorize:    apigw.Step{Taken: true, Status: 403, Error: "denied"},
				Integration:  apigw.Step{Taken: true, Status: 502, Latency: time.Second, RequestID: "r2", Error: "it threw"},
			},
			`{"time":"2026-03-01T12:04:05.678Z","operation":"message","api_id":"a1b2c3d4e5","stage":"dev","connection_id":"Qyi07eCbtjMCJKw=",` +
				`"request_id":"W9I-JG0qoAMFxGA=","route_key":"$default","selected":"ask","target":"f","path":"/dev","source_ip":"192.0.2.1",` +
				`"status":502,"backend_status":200,"ms":1.23,"bytes_in":17,"bytes_out":90,"close_code":1001,"close_reason":"Going away",` +
				`"error":"Internal server error: it threw; at line 1","told":"Internal server error","response_type":"INTEGRATION_FAILURE",` +
				`"validation_error":"[no price]","authenticate":{"status":200,"ms":2},"authorizer":{"status":200,"ms":0.02,"request_id":"r1"},` +
				`"authorize":{"status":403,"ms":0,"error":"denied"},"integration":{"status":502,"ms":1000,"request_id":"r2","error":"it threw"}}`,
		},
		"a step that was not taken": {
			apigw.Record{Time: at, Operation: "connect", Integration: apigw.Step{Error: "throttled"}},
			`{"time":"2026-03-01T12:04:05.678Z","operation":"connect","ms":0}`,
		},
		// Whoever signed wrong is shown its request, session token and all; whoever watches is not.
		"a refused signature": {
			apigw.Record{
				Time: at, Operation: "post", Status: 403, ErrorMessage: "It does not match.\n\nx-amz-security-token:secret",
				Err: fmt.Errorf("for the log: %w", &apigw.Error{Kind: apigw.KindInvalidSignature, Message: "It does not match.\n\nx-amz-security-token:secret"}),
			},
			`{"time":"2026-03-01T12:04:05.678Z","operation":"post","status":403,"ms":0,"error":"for the log: It does not match.","told":"It does not match."}`,
		},
	} {
		got, err := json.Marshal(eventstream.Of(&test.record))
		if err != nil || string(got) != test.want {
			t.Errorf("%s: got %s, %v\nwant %s", name, got, err, test.want)
		}
	}
}

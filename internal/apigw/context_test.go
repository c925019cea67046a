package apigw_test

import (
	"testing"
	"time"

	"cleat/internal/apigw"
)

// Every variable of spec mapping-templates §5 is on the one list, and has a value in the events that it belongs to.
func TestContextVariables(t *testing.T) {
	full := apigw.RequestContext{
		RouteKey: "say", EventType: apigw.EventMessage, RequestID: "Qyi3UG41tjMFlUg=", RequestTime: time.UnixMilli(1700000000000), Stage: "prod",
		ConnectedAt: time.UnixMilli(1), DomainName: "h.example", ConnectionID: "Qyi07eCbtjMCJKw=", APIID: "a1b2c3d4e5", MessageID: "m",
		Identity: apigw.Identity{
			SourceIP: "192.0.2.7", UserAgent: "demo", APIKey: "k", APIKeyID: "kid", AccountID: "123456789012", AccessKey: "AKIA", Caller: "c",
			User: "u", UserARN: "arn", PrincipalOrgID: "o-1",
		},
		Authorizer: apigw.Fields{{Name: "tenant", Value: "t1"}, {Name: "principalId", Value: "ann"}},
	}
	ended := full
	ended.EventType, ended.DisconnectStatusCode, ended.DisconnectReason = apigw.EventDisconnect, 1001, "Going away"
	for name, want := range map[string]string{
		"apiId": "a1b2c3d4e5", "stage": "prod", "domainName": "h.example", "connectionId": "Qyi07eCbtjMCJKw=", "connectedAt": "1",
		"eventType": "MESSAGE", "routeKey": "say", "messageId": "m", "messageDirection": "IN", "isBase64Encoded": "false",
		"requestId": "Qyi3UG41tjMFlUg=", "extendedRequestId": "Qyi3UG41tjMFlUg=", "requestTime": "14/Nov/2023:22:13:20 +0000",
		"requestTimeEpoch": "1700000000000", "identity.sourceIp": "192.0.2.7", "identity.userAgent": "demo", "identity.apiKey": "k",
		"identity.apiKeyId": "kid", "identity.accountId": "123456789012", "identity.accessKey": "AKIA", "identity.caller": "c",
		"identity.user": "u", "identity.userArn": "arn", "identity.principalOrgId": "o-1",
		"authorizer.principalId": "ann", "authorizer.tenant": "t1",
	} {
		if got, ok := full.Lookup(name); got != want || !ok || !apigw.IsContextVariable(name) {
			t.Errorf("%s: got %q, %v, known %v, want %q", name, got, ok, apigw.IsContextVariable(name), want)
		}
	}
	for name, want := range map[string]string{"disconnectStatusCode": "1001", "disconnectReason": "Going away"} {
		if got, ok := ended.Lookup(name); got != want || !ok || !apigw.IsContextVariable(name) {
			t.Errorf("%s: got %q, %v, want %q", name, got, ok, want)
		}
		if got, ok := full.Lookup(name); ok {
			t.Errorf("%s of a message: got %q", name, got)
		}
	}
	for _, name := range []string{
		"status", "error.message", "error.messageString", "error.responseType", "error.validationErrorString",
		"identity.cognitoIdentityId", "httpMethod", "authorizer.nobody",
	} {
		if got, ok := full.Lookup(name); ok || !apigw.IsContextVariable(name) {
			t.Errorf("%s: got %q, known %v, want a name without a value", name, got, apigw.IsContextVariable(name))
		}
	}
	for _, name := range []string{"", "nope", "connectionid", "identity", "identity.", "authorizer", "authorizer.", "error"} {
		if got, ok := full.Lookup(name); ok || apigw.IsContextVariable(name) {
			t.Errorf("%q: got %q, known %v, want an unknown name", name, got, apigw.IsContextVariable(name))
		}
	}
}

package lambdaapi

import (
	"encoding/base64"
	"net/http"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/controlapi"
)

// invoke makes an operation Invoke's: its action has another name, and its body is an event.
func invoke(op controlapi.Operation) controlapi.Operation {
	op.Action, op.MaxBody = "lambda:InvokeFunction", apigw.QuotaLambdaPayload
	return op
}

func (s *service) invoke(c *controlapi.Call) (controlapi.Answer, error) {
	at, err := s.target(c, c.Path("FunctionName"))
	if err != nil {
		return controlapi.Answer{}, err
	}
	h := c.Request.Header
	call := awsapi.Invocation{
		Function: at.qualified(), Type: awsapi.InvocationType(h.Get("X-Amz-Invocation-Type")), Payload: c.Body,
		TraceID: h.Get("X-Amzn-Trace-Id"), LogTail: h.Get("X-Amz-Log-Type") == "Tail",
	}
	switch call.Type {
	case "":
		call.Type = awsapi.InvokeRequestResponse
	case awsapi.InvokeRequestResponse, awsapi.InvokeEvent, awsapi.InvokeDryRun:
	default:
		return controlapi.Answer{}, invalid("X-Amz-Invocation-Type %q: want RequestResponse, Event or DryRun", string(call.Type))
	}
	if text := h.Get("X-Amz-Client-Context"); text != "" {
		if call.ClientContext, err = base64.StdEncoding.DecodeString(text); err != nil {
			return controlapi.Answer{}, &apigw.Error{Kind: apigw.KindInvalidContent, Message: "Client context must be a valid Base64-encoded JSON object.", Err: err}
		}
	}
	result, err := s.Invoker.Invoke(c.Context, call)
	if err != nil {
		return controlapi.Answer{}, err
	}
	answer := controlapi.Answer{Status: awsapi.InvokeStatus(call.Type, nil), Header: http.Header{}}
	if result.RequestID != "" {
		answer.Header["x-amzn-RequestId"] = []string{result.RequestID}
	}
	if call.Type != awsapi.InvokeRequestResponse {
		return answer, nil
	}
	answer.Body = result.Payload
	if result.Payload == nil {
		answer.Body = []byte{}
	}
	for name, value := range map[string]string{
		"X-Amz-Function-Error": result.FunctionError, "X-Amz-Executed-Version": result.ExecutedVersion,
		"X-Amz-Log-Result": base64.StdEncoding.EncodeToString(result.LogTail),
	} {
		if value != "" {
			answer.Header.Set(name, value)
		}
	}
	return answer, nil
}

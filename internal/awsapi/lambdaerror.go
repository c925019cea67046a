package awsapi

import (
	"net/http"

	"cleat/internal/apigw"
)

// lambdaTypes are what Lambda calls the kinds that API Gateway has another name for (spec lambda §1).
var lambdaTypes = map[apigw.Kind]string{
	apigw.KindInternal:        "ServiceException",
	apigw.KindBadRequest:      "InvalidParameterValueException",
	apigw.KindNotFound:        "ResourceNotFoundException",
	apigw.KindConflict:        "ResourceConflictException",
	apigw.KindPayloadTooLarge: "RequestTooLargeException",
}

// WriteLambdaError answers a request with an error as Lambda's API does: {"Type":"User","Message":"…"}, with the type in
// x-amzn-ErrorType (spec lambda §1).
func WriteLambdaError(w http.ResponseWriter, err error, request apigw.RequestID) {
	a, text := answerOf(err)
	if errType, ok := lambdaTypes[apigw.KindOf(err)]; ok {
		a.errType = errType
	}
	whose := "User"
	if a.status >= http.StatusInternalServerError {
		whose = "Service"
	}
	h := w.Header()
	SetRequestIDs(h, request)
	h["x-amzn-ErrorType"] = []string{a.errType}
	writeJSON(w, a.status, append(append([]byte(`{"Type":"`+whose+`","Message":`), quoteJSON(text)...), '}'))
}

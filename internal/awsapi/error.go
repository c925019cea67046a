package awsapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"cleat/internal/apigw"
)

// answer is how one kind of error looks on the wire.
type answer struct {
	status  int
	errType string // x-amzn-ErrorType
	text    string // the message where the error brings none
	noBody  bool
}

// answers is the one place that knows status, error type and text of each kind (spec data-plane §2 and §6,
// management-api §4, lambda §1).
var answers = map[apigw.Kind]answer{
	apigw.KindInternal:                   {500, "InternalServerErrorException", "Internal server error", false},
	apigw.KindBadRequest:                 {400, "BadRequestException", "Bad Request", false},
	apigw.KindUnauthorized:               {401, "UnauthorizedException", "Unauthorized", false},
	apigw.KindForbidden:                  {403, "ForbiddenException", "Forbidden", false},
	apigw.KindAccessDenied:               {403, "AccessDeniedException", "User is not authorized to access this resource", false},
	apigw.KindMissingAuthenticationToken: {403, "MissingAuthenticationTokenException", "Missing Authentication Token", false},
	apigw.KindNotFound:                   {404, "NotFoundException", "Not Found", false},
	apigw.KindConflict:                   {409, "ConflictException", "Conflict", false},
	apigw.KindGone:                       {410, "GoneException", "", true},
	apigw.KindPayloadTooLarge:            {413, "PayloadTooLargeException", "Message too long", false},
	apigw.KindInvalidRequestBody:         {400, "BadRequestException", "Invalid request body", false},
	apigw.KindUnsupportedMediaType:       {415, "UnsupportedMediaTypeException", "Unsupported Media Type", false},
	apigw.KindTooManyRequests:            {429, "TooManyRequestsException", "Too Many Requests", false},
	apigw.KindLimitExceeded:              {429, "LimitExceededException", "Limit Exceeded", false},
	apigw.KindQuotaExceeded:              {429, "ConflictException", "Limit Exceeded", false}, // as captured: 429, and yet a conflict
	apigw.KindIntegrationFailure:         {502, "InternalServerErrorException", "Internal server error", false},
	apigw.KindIntegrationConfig:          {500, "InternalServerErrorException", "Internal server error", false},
	apigw.KindIntegrationTimeout:         {504, "InternalServerErrorException", "Endpoint request timed out", false},
	apigw.KindUpgradeRequired:            {426, "BadRequestException", "Upgrade Required", false},
	apigw.KindRequestURITooLong:          {414, "BadRequestException", "Request URI too long", false},
	apigw.KindFunctionNotFound:           {404, "ResourceNotFoundException", "Function not found", false},
	apigw.KindFunctionConcurrency:        {429, "TooManyRequestsException", "Rate Exceeded.", false},
	apigw.KindInvalidContent:             {400, "InvalidRequestContentException", "Could not parse request body into json", false},
	apigw.KindHeaderTooLarge:             {431, "BadRequestException", "Request Header Fields Too Large", false},
	apigw.KindAuthorizerConfig:           {500, "AuthorizerConfigurationException", "", false},
	apigw.KindAuthorizerFailure:          {500, "AuthorizerConfigurationException", "Internal server error", false},
	apigw.KindInvalidSignature:           {403, "InvalidSignatureException", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.", false},
	apigw.KindIncompleteSignature:        {403, "IncompleteSignatureException", "The request signature does not conform to AWS standards.", false},
	apigw.KindUnrecognizedClient:         {403, "UnrecognizedClientException", "The security token included in the request is invalid.", false},
	apigw.KindInvalidAction:              {400, "InvalidAction", "The action is not valid for this service.", false},
	apigw.KindPreconditionFailed:         {412, "PreconditionFailedException", "Precondition Failed", false},
	apigw.KindInvalidAPIKey:              {403, "ForbiddenException", "Forbidden", false},
	apigw.KindExpiredToken:               {403, "ExpiredTokenException", "The security token included in the request is expired", false},
}

func answerOf(err error) (answer, string) {
	a, ok := answers[apigw.KindOf(err)]
	if !ok {
		a = answers[apigw.KindInternal]
	}
	text := a.text
	// The gateway's own failures never show their cause to a client.
	if e, ok := errors.AsType[*apigw.Error](err); ok && e.Message != "" && a.status < 500 {
		text = e.Message
	}
	return a, text
}

// Status is the HTTP status of an error.
func Status(err error) int {
	a, _ := answerOf(err)
	return a.status
}

// Message is the text that a client may see of an error: in an error frame and in an HTTP body.
func Message(err error) string {
	_, text := answerOf(err)
	return text
}

// Reason is an error in one line for a log: what the client was told, and behind it the cause, which no client sees.
func Reason(err error) string {
	told, text := Message(err), err.Error()
	first, _, _ := strings.Cut(told, "\n") // that of a wrong signature goes on with what should have been signed
	switch {
	case text == "":
		text = first
	case told == "":
	case strings.Contains(text, told):
		text = strings.Replace(text, told, first, 1)
	default:
		text = first + ": " + text
	}
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	return strings.TrimSpace(strings.Join(lines, "; "))
}

// ErrorFrame is the text frame that tells a client of a failed message, byte for byte as AWS lays it out, blanks
// included (spec data-plane §6).
func ErrorFrame(err error, id apigw.ConnectionID, request apigw.RequestID) []byte {
	return appendErrorFrame(make([]byte, 0, 128), Message(err), id, request)
}

func appendErrorFrame(b []byte, message string, id apigw.ConnectionID, request apigw.RequestID) []byte {
	b = append(b, `{"message": `...)
	b = append(b, quoteJSON(message)...)
	b = append(b, `, "connectionId":"`...)
	b = append(b, id...)
	b = append(b, `", "requestId":"`...)
	b = append(b, request...)
	return append(b, `"}`...)
}

func quoteJSON(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		return strconv.AppendQuote(nil, s) // not reached: a string always marshals
	}
	return b
}

// SetRequestIDs sets the headers that every HTTP answer of the gateway bears (spec data-plane §2).
func SetRequestIDs(h http.Header, request apigw.RequestID) {
	ids := []string{apigw.NewUUID(), string(request)}
	h["x-amzn-RequestId"], h["x-amz-apigw-id"] = ids[:1:1], ids[1:]
}

// WriteError answers an HTTP request with an error as AWS does: status, x-amzn-ErrorType, request IDs and a JSON body
// (none for 410, spec management-api §4).
func WriteError(w http.ResponseWriter, err error, request apigw.RequestID) {
	a, text := answerOf(err)
	h := w.Header()
	SetRequestIDs(h, request)
	h["x-amzn-ErrorType"] = []string{a.errType}
	if a.noBody {
		h.Set("Content-Length", "0")
		w.WriteHeader(a.status)
		return
	}
	writeJSON(w, a.status, plainBody(apigw.KindOf(err), text))
}

// plainBody is the body that names no connection.
func plainBody(kind apigw.Kind, text string) []byte {
	key := "message"
	if kind == apigw.KindAuthorizerConfig {
		return []byte(`{"message":null}`) // AWS has no text for it
	}
	if kind == apigw.KindAccessDenied {
		key = "Message" // IAM's spelling
	}
	return append(append([]byte(`{"`+key+`":`), quoteJSON(text)...), '}')
}

// WriteHandshakeError refuses a handshake. A failure that arose once the connection had its ID bears the layout of an
// error frame (spec open-questions 11), but what a policy refuses and what is wrong with an authorizer have fixed bodies
// (open-questions 44, data-plane §2).
func WriteHandshakeError(w http.ResponseWriter, err error, id apigw.ConnectionID, request apigw.RequestID) {
	a, text := answerOf(err)
	h := w.Header()
	SetRequestIDs(h, request)
	h["x-amzn-ErrorType"] = []string{a.errType}
	body := appendErrorFrame(nil, text, id, request)
	if kind := apigw.KindOf(err); kind == apigw.KindAccessDenied || kind == apigw.KindAuthorizerConfig {
		body = plainBody(kind, text)
	}
	writeJSON(w, a.status, body)
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone; nothing is left to tell it
}

// WriteHandshakeStatus refuses a handshake with the status that a $connect integration chose. Neither its body nor
// its headers reach the client (spec open-questions 17); the body names the status in the layout of an error frame.
func WriteHandshakeStatus(w http.ResponseWriter, status int, id apigw.ConnectionID, request apigw.RequestID) {
	text := http.StatusText(status)
	if text == "" {
		text = "Refused"
	}
	SetRequestIDs(w.Header(), request)
	if status == http.StatusNoContent || status == http.StatusNotModified {
		w.WriteHeader(status) // these have no body
		return
	}
	writeJSON(w, status, appendErrorFrame(nil, text, id, request))
}

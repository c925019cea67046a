package iamapi

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/controlapi"
	"cleat/internal/identity"
)

// The XML of the query protocol. An answer, and an error:
//
//	<GetUserResponse xmlns="…">            <ErrorResponse xmlns="…">
//	  <GetUserResult>…</GetUserResult>       <Error><Type>Sender</Type><Code>…</Code><Message>…</Message></Error>
//	  <ResponseMetadata>                     <RequestId>…</RequestId>
//	    <RequestId>…</RequestId>           </ErrorResponse>
//	  </ResponseMetadata>
//	</GetUserResponse>

// list is a list as the query protocol has it. An empty one is an element without content: SDKs miss it otherwise.
type list[T any] struct {
	Members []T `xml:"member"`
}

func listOf[T any](items []T) list[T] { return list[T]{items} }

// paging ends the answer of a list.
type paging struct {
	IsTruncated bool
	Marker      string `xml:",omitempty"`
}

// marshalled is a list's position as it is given out, which nobody should read anything into.
func makeMarker(name string) string { return base64.RawURLEncoding.EncodeToString([]byte(name)) }

func readMarker(marker string) (string, error) {
	name, err := base64.RawURLEncoding.DecodeString(marker)
	if err != nil {
		return "", identity.ValidationError.Errorf("Invalid Marker")
	}
	return string(name), nil
}

// isoTime is a time as IAM writes it.
type isoTime time.Time

// MarshalText is the time in UTC, in whole seconds.
func (t isoTime) MarshalText() ([]byte, error) {
	return []byte(time.Time(t).UTC().Format("2006-01-02T15:04:05Z")), nil
}

type tag struct{ Key, Value string }

func tagsOf(tags map[string]string) list[tag] {
	var out list[tag]
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out.Members = append(out.Members, tag{k, tags[k]})
	}
	return out
}

type metadata struct {
	RequestID string `xml:"RequestId"`
}

func answer(namespace, operation string, result any, id apigw.RequestID) (controlapi.Answer, error) {
	var b bytes.Buffer
	e := xml.NewEncoder(&b)
	root := xml.StartElement{Name: xml.Name{Local: operation + "Response"}, Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: namespace}}}
	err := e.EncodeToken(root)
	if result != nil {
		err = errors.Join(err, e.EncodeElement(result, xml.StartElement{Name: xml.Name{Local: operation + "Result"}}))
	}
	err = errors.Join(err, e.EncodeElement(metadata{string(id)}, xml.StartElement{Name: xml.Name{Local: "ResponseMetadata"}}),
		e.EncodeToken(root.End()), e.Flush())
	if err != nil {
		return controlapi.Answer{}, fmt.Errorf("write the answer of %s: %w", operation, err)
	}
	return controlapi.Answer{Status: http.StatusOK, Body: b.Bytes(), Header: http.Header{"Content-Type": {"text/xml"}}}, nil
}

type errorResponse struct {
	XMLName   xml.Name `xml:"ErrorResponse"`
	Namespace string   `xml:"xmlns,attr"`
	Error     struct{ Type, Code, Message string }
	RequestID string `xml:"RequestId"`
}

// codes are the codes of the kinds of errors that are not identity's own.
var codes = map[apigw.Kind]string{
	apigw.KindAccessDenied:               "AccessDenied",
	apigw.KindForbidden:                  "AccessDenied",
	apigw.KindMissingAuthenticationToken: "MissingAuthenticationToken",
	apigw.KindInvalidSignature:           "SignatureDoesNotMatch",
	apigw.KindIncompleteSignature:        "IncompleteSignature",
	apigw.KindUnrecognizedClient:         "InvalidClientTokenId",
	apigw.KindExpiredToken:               "ExpiredToken",
	apigw.KindTooManyRequests:            "TooManyRequestsException",
	apigw.KindInvalidAction:              "InvalidAction",
	apigw.KindPayloadTooLarge:            "RequestEntityTooLarge",
	apigw.KindInternal:                   "ServiceFailure",
}

// writeError answers a failed call.
func writeError(namespace string) func(http.ResponseWriter, error, apigw.RequestID) {
	return func(w http.ResponseWriter, err error, id apigw.RequestID) {
		status := awsapi.Status(err)
		out := errorResponse{Namespace: namespace, RequestID: string(id)}
		out.Error.Type, out.Error.Message = "Sender", awsapi.Message(err)
		out.Error.Code = codeOf(err)
		if status >= http.StatusInternalServerError {
			out.Error.Type = "Receiver"
		}
		body, err := xml.Marshal(out)
		if err != nil { // not reached: texts always marshal
			awsapi.WriteError(w, err, id)
			return
		}
		h := w.Header()
		awsapi.SetRequestIDs(h, id)
		h.Set("Content-Type", "text/xml")
		h.Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(status)
		_, _ = w.Write(body) // the client may be gone; nothing is left to tell it
	}
}

func codeOf(err error) string {
	if code, ok := errors.AsType[identity.Code](err); ok {
		return string(code)
	}
	if code, ok := codes[apigw.KindOf(err)]; ok {
		return code
	}
	return string(identity.ValidationError)
}

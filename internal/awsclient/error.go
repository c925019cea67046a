package awsclient

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
)

// Error is an answer that says that a call failed.
type Error struct {
	Status int
	Header http.Header
	Body   []byte

	errType, message string // as AWS names the error, and what it says
}

// The error types that callers look for.
const missingToken = "MissingAuthenticationTokenException"

const errorExcerpt = 512 // bytes that are shown of an answer that nobody knows

// ReadError reads an answer that says that a call failed: AWS's JSON protocols say the type in a header or in the body, the
// query protocol says all in XML.
func ReadError(status int, header http.Header, body []byte) *Error {
	e := &Error{Status: status, Header: header, Body: body, errType: header.Get("X-Amzn-Errortype")}
	var said struct {
		Message string // field names match without regard to case
		Type    string `json:"__type"`
	}
	var asXML struct {
		Code    string `xml:"Error>Code"`
		Message string `xml:"Error>Message"`
	}
	if json.Unmarshal(body, &said) == nil {
		e.message = said.Message
		if e.errType == "" {
			e.errType = said.Type[strings.LastIndexByte(said.Type, '#')+1:]
		}
	} else if xml.Unmarshal(body, &asXML) == nil {
		e.errType, e.message = asXML.Code, asXML.Message
	}
	e.errType, _, _ = strings.Cut(e.errType, ":") // some services append a URL
	if e.message == "" {
		e.message = strings.TrimSpace(string(body[:min(len(body), errorExcerpt)]))
	}
	return e
}

// Type is AWS's name of the error, such as "NotFoundException"; empty when the answer has none.
func (e *Error) Type() string { return e.errType }

// Message is what the answer says in words.
func (e *Error) Message() string { return e.message }

// Error says it in one line, and in a second one what to do where that is known.
func (e *Error) Error() string {
	text := fmt.Sprintf("%d %s: %s", e.Status, e.errType, e.message)
	if e.errType == "" {
		text = fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
		if e.message != "" {
			text += ": " + e.message
		}
	}
	if hint := e.Hint(); hint != "" {
		text += "\n" + hint
	}
	return text
}

// Hint says what to do about an error of credentials; it is empty for others.
func (e *Error) Hint() string {
	switch strings.TrimSuffix(e.errType, "Exception") {
	case "MissingAuthenticationToken":
		return "No credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile of ~/.aws/credentials with AWS_PROFILE"
	case "UnrecognizedClient", "InvalidClientTokenId":
		return "The access key is not known there: are the credentials those of this endpoint?"
	case "InvalidSignature", "SignatureDoesNotMatch":
		return "The secret access key does not fit its ID, or the clocks differ"
	case "ExpiredToken":
		return "The credentials have expired: get new ones"
	case "AccessDenied":
		return "The user's policies do not allow it"
	}
	return ""
}

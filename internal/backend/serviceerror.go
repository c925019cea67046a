package backend

import (
	"regexp"
	"strings"

	"github.com/tidwall/gjson"

	"cleat/internal/jsonpath"
)

// xmlError finds what the services of the query protocol and S3 say when they answer XML.
var xmlError = regexp.MustCompile(`(?s)<Code>([^<]*)</Code>\s*<Message>([^<]*)</Message>`)

// ServiceError is what an AWS service's answer says went wrong, in one line for the log: its error's type and message,
// as JSON or XML have them. It is empty for a status under 400, and for an answer that says nothing.
func ServiceError(resp *Response) string {
	if resp.Status < 400 {
		return ""
	}
	errType, message := "", ""
	if jsonpath.Valid(resp.Body) {
		body := gjson.ParseBytes(resp.Body)
		errType, message = firstText(body, "__type", "Error.Code", "code"), firstText(body, "message", "Message", "Error.Message")
	} else if m := xmlError.FindSubmatch(resp.Body[:min(len(resp.Body), 4<<10)]); m != nil {
		errType, message = string(m[1]), string(m[2])
	}
	if errType == "" {
		errType, _, _ = strings.Cut(resp.Header.Get("X-Amzn-Errortype"), ":")
	}
	errType = afterHash(errType)
	switch {
	case message == "":
		return errType
	case errType == "":
		return excerpt(message)
	}
	return errType + ": " + excerpt(message)
}

func firstText(v gjson.Result, paths ...string) string {
	for _, p := range paths {
		if s := v.Get(p).Str; s != "" {
			return s
		}
	}
	return ""
}

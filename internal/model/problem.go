package model

import (
	"fmt"
	"strings"
)

// What AWS says of a message is what Java's json-schema-validator says, which its $context.error.validationErrorString
// shows (spec events-and-integrations §9). This is the one place that has the words; those of the keywords that no capture
// shows are as that library's published message catalogue has them, by our reading.
const (
	problemType                 = `instance type (%s) does not match any allowed primitive type (allowed: %s)`
	problemEnum                 = `instance value (%s) not found in enum (possible values: %s)`
	problemAllOf                = `instance failed to match all required schemas (matched only %d out of %d)`
	problemAnyOf                = `instance failed to match at least one required schema among %d`
	problemOneOf                = `instance failed to match exactly one schema (matched %d out of %d)`
	problemNot                  = `instance matched a schema which it should not have`
	problemRequired             = `object has missing required properties (%s)`
	problemAdditionalProperties = `object instance has properties which are not allowed by the schema: %s`
	problemDependency           = `property "%s" of object has missing property dependencies (schema requires %s; missing: %s)`
	problemMinProperties        = `object has too few properties (found %d but schema requires at least %d)`
	problemMaxProperties        = `object has too many properties (found %d but schema requires at most %d)`
	problemMinItems             = `array is too short: must have at least %d elements but instance has %d elements`
	problemMaxItems             = `array is too long: must have at most %d elements but instance has %d elements`
	problemAdditionalItems      = `additional items are not allowed in the array (found %d, allowed: %d)`
	problemUniqueItems          = `array must not contain duplicate elements`
	problemMinLength            = `string "%s" is too short (length: %d, required minimum: %d)`
	problemMaxLength            = `string "%s" is too long (length: %d, maximum allowed: %d)`
	problemPattern              = `ECMA 262 regex "%s" does not match input string "%s"`
	problemFormat               = `string "%s" is not a valid %s`
	problemMinimum              = `numeric instance is lower than the required minimum (minimum: %s, found: %s)`
	problemExclusiveMinimum     = `numeric instance is not strictly greater than the required minimum %s`
	problemMaximum              = `numeric instance is greater than the required maximum (maximum: %s, found: %s)`
	problemExclusiveMaximum     = `numeric instance is not strictly lower than the required maximum %s`
	problemMultipleOf           = `remainder of division is not zero (%s / %s)`

	// These are ours.

	problemNotJSON   = `the message is not valid JSON`
	problemTooCostly = `the message takes too much work to be validated`
)

// formatNames are the formats' names where they are not their own.
var formatNames = map[string]string{
	"email": "email address", "ipv4": "IPv4 address", "ipv6": "IPv6 address", "uri": "URI", "regex": "ECMA 262 regular expression",
}

func formatName(format string) string {
	if name, ok := formatNames[format]; ok {
		return name
	}
	return format
}

// maxText bounds the text of an InvalidError: a log line is the most that comes of it.
const maxText = 1024

// InvalidError is what is wrong with a message.
type InvalidError struct {
	Problems []string // at least one
}

// Error is the problems as $context.error.validationErrorString has them: in brackets, with commas in between.
func (e *InvalidError) Error() string {
	s := strings.Join(e.Problems, ", ")
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return "[" + s + "]"
}

// fail notes an objection; it returns false.
func (v *validation) fail(format string, args ...any) bool {
	if v.quiet == 0 && len(v.problems) < maxProblems {
		v.problems = append(v.problems, fmt.Sprintf(format, args...))
	}
	return false
}

// excerpt is as much of what a client sent as an objection shows.
func excerpt(b []byte) string {
	const most = 128
	if len(b) <= most {
		return string(b)
	}
	return strings.ToValidUTF8(string(b[:most]), "") + "…"
}

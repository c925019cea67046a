package iampolicy

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// operator is a condition operator: how a policy's value is read, and when a request's value equals it. The negated
// operators share both with those they negate.
type operator struct {
	compile func(c *compiler, text string) (value, error)
	compare func(v *value, given string, c Context) bool
	negated bool
	null    bool // Null: about whether there is a value at all
}

func (o operator) not() operator {
	o.negated = true
	return o
}

var (
	stringEquals     = operator{compile: compileText, compare: sameText(func(a, b string) bool { return a == b })}
	stringIgnoreCase = operator{compile: compileText, compare: sameText(strings.EqualFold)}
	stringLike       = operator{compile: compileText, compare: func(v *value, given string, c Context) bool { return v.text.match(given, c) }}
	arnLike          = operator{compile: compileARN, compare: matchARN}
	ipAddress        = operator{compile: compileNetwork, compare: inNetwork}
	numericEquals    = operator{compile: compileNumber, compare: compareNumbers(func(a, b float64) bool { return a == b })}
	dateEquals       = operator{compile: compileDate, compare: compareDates(func(a, b float64) bool { return a == b })}
)

// operators are all the operators but for their prefixes and the suffix IfExists.
var operators = map[string]operator{
	"StringEquals":              stringEquals,
	"StringNotEquals":           stringEquals.not(),
	"StringEqualsIgnoreCase":    stringIgnoreCase,
	"StringNotEqualsIgnoreCase": stringIgnoreCase.not(),
	"StringLike":                stringLike,
	"StringNotLike":             stringLike.not(),
	"ArnEquals":                 arnLike, // IAM makes no difference between the two
	"ArnLike":                   arnLike,
	"ArnNotEquals":              arnLike.not(),
	"ArnNotLike":                arnLike.not(),
	"IpAddress":                 ipAddress,
	"NotIpAddress":              ipAddress.not(),
	"NumericEquals":             numericEquals,
	"NumericNotEquals":          numericEquals.not(),
	"NumericLessThan":           {compile: compileNumber, compare: compareNumbers(func(a, b float64) bool { return a < b })},
	"NumericLessThanEquals":     {compile: compileNumber, compare: compareNumbers(func(a, b float64) bool { return a <= b })},
	"NumericGreaterThan":        {compile: compileNumber, compare: compareNumbers(func(a, b float64) bool { return a > b })},
	"NumericGreaterThanEquals":  {compile: compileNumber, compare: compareNumbers(func(a, b float64) bool { return a >= b })},
	"DateEquals":                dateEquals,
	"DateNotEquals":             dateEquals.not(),
	"DateLessThan":              {compile: compileDate, compare: compareDates(func(a, b float64) bool { return a < b })},
	"DateLessThanEquals":        {compile: compileDate, compare: compareDates(func(a, b float64) bool { return a <= b })},
	"DateGreaterThan":           {compile: compileDate, compare: compareDates(func(a, b float64) bool { return a > b })},
	"DateGreaterThanEquals":     {compile: compileDate, compare: compareDates(func(a, b float64) bool { return a >= b })},
	"Bool":                      {compile: compileBool, compare: sameBool},
	"BinaryEquals":              {compile: compileBinary, compare: sameBinary},
	"Null":                      {compile: compileBool, null: true},
}

func compileText(c *compiler, text string) (value, error) {
	if !c.variables {
		return value{text: compilePattern(text)}, nil
	}
	p, err := compileTemplate(text)
	return value{text: p}, err
}

func sameText(same func(a, b string) bool) func(*value, string, Context) bool {
	return func(v *value, given string, c Context) bool { return v.text.equals(given, c, same) }
}

// arnParts is how many parts, between colons, an ARN has; the last one may hold colons.
const arnParts = 6

// compileARN compiles each part of an ARN on its own: a wildcard does not reach across a colon here, as it does in a Resource.
func compileARN(c *compiler, text string) (value, error) {
	if text == "*" {
		return value{text: compilePattern(text)}, nil
	}
	parts := splitARN(text)
	if len(parts) != arnParts {
		return value{}, fmt.Errorf("%q is no ARN, such as \"arn:aws:iam::123456789012:user/*\"", text)
	}
	var v value
	for _, part := range parts {
		p, err := compileText(c, part)
		if err != nil {
			return v, err
		}
		v.arn = append(v.arn, p.text)
	}
	return v, nil
}

// splitARN splits at colons, but not within policy variables.
func splitARN(text string) []string {
	var parts []string
	start, depth := 0, 0
	for i := 0; i < len(text) && len(parts) < arnParts-1; i++ {
		switch {
		case strings.HasPrefix(text[i:], "${"):
			depth++
		case text[i] == '}' && depth > 0:
			depth--
		case text[i] == ':' && depth == 0:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}

func matchARN(v *value, given string, c Context) bool {
	if v.arn == nil {
		return v.text.match(given, c)
	}
	parts := strings.SplitN(given, ":", arnParts)
	if len(parts) != arnParts {
		return false
	}
	for i := range parts {
		if !v.arn[i].match(parts[i], c) {
			return false
		}
	}
	return true
}

func compileNumber(_ *compiler, text string) (value, error) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return value{}, fmt.Errorf("%q is no number", text)
	}
	return value{number: n}, nil
}

func compareNumbers(holds func(given, policy float64) bool) func(*value, string, Context) bool {
	return func(v *value, given string, _ Context) bool {
		n, err := strconv.ParseFloat(given, 64)
		return err == nil && holds(n, v.number)
	}
}

// dateLayouts are the forms of ISO 8601 that IAM reads.
var dateLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02", "20060102T150405Z"}

// parseDate reads a date, or seconds since 1970, as seconds since 1970.
func parseDate(text string) (float64, bool) {
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return float64(t.UnixNano()) / float64(time.Second), true
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil
}

func compileDate(_ *compiler, text string) (value, error) {
	n, ok := parseDate(text)
	if !ok {
		return value{}, fmt.Errorf("%q is no date, such as \"2024-03-12T20:57:22Z\"", text)
	}
	return value{number: n}, nil
}

func compareDates(holds func(given, policy float64) bool) func(*value, string, Context) bool {
	return func(v *value, given string, _ Context) bool {
		n, ok := parseDate(given)
		return ok && holds(n, v.number)
	}
}

func compileBool(_ *compiler, text string) (value, error) {
	flag, ok := parseBool(text)
	if !ok {
		return value{}, fmt.Errorf("%q is neither \"true\" nor \"false\"", text)
	}
	return value{flag: flag}, nil
}

func parseBool(text string) (flag, ok bool) {
	switch {
	case strings.EqualFold(text, "true"):
		return true, true
	case strings.EqualFold(text, "false"):
		return false, true
	}
	return false, false
}

func sameBool(v *value, given string, _ Context) bool {
	flag, ok := parseBool(given)
	return ok && flag == v.flag
}

func compileBinary(_ *compiler, text string) (value, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return value{}, fmt.Errorf("%q is no base64", text)
	}
	return value{bytes: b}, nil
}

// sameBinary compares with a key whose value is base64 too, as IAM has it.
func sameBinary(v *value, given string, _ Context) bool {
	b, err := base64.StdEncoding.DecodeString(given)
	return err == nil && bytes.Equal(b, v.bytes)
}

func compileNetwork(_ *compiler, text string) (value, error) {
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return value{network: prefix.Masked()}, nil
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		return value{}, fmt.Errorf("%q is no range of addresses, such as \"192.0.2.0/24\"", text)
	}
	return value{network: netip.PrefixFrom(addr, addr.BitLen())}, nil
}

func inNetwork(v *value, given string, _ Context) bool {
	addr, err := netip.ParseAddr(given)
	return err == nil && v.network.Contains(addr.Unmap().WithZone(""))
}

package input

import (
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"cleat/internal/cfn"
)

// Text reads a value that must be text. An absent, null or unresolved one is ok=false without a fault.
func (r *Reading) Text(v *cfn.Value, what string) (string, bool) {
	if v == nil || v.Kind == cfn.Null {
		return "", false
	}
	s, ok := v.Scalar()
	if !ok {
		r.Faultf(v.Place, "%s must be text, not %s", what, v.Kind)
	}
	return s, ok
}

// Number reads a value that must be a whole number from low to high. An absent or null one is ok=false without a fault.
func (r *Reading) Number(v *cfn.Value, what string, low, high int) (int, bool) {
	s, ok := v.Scalar()
	if !ok {
		if v != nil && v.Kind != cfn.Null {
			r.Faultf(v.Place, "%s must be a number from %d to %d, not %s", what, low, high, v.Kind)
		}
		return 0, false
	}
	n, ok := WholeNumber(s)
	if !ok || n < low || n > high {
		r.Faultf(v.Place, "%s is %s: it must be a whole number from %d to %d", what, s, low, high)
		return 0, false
	}
	return n, true
}

// Flag reads a value that must be true or false; fallback stands for an absent or null one.
func (r *Reading) Flag(v *cfn.Value, what string, fallback bool) bool {
	if v == nil || v.Kind == cfn.Null {
		return fallback
	}
	on, ok := ParseSwitch(v.Str())
	if !ok {
		r.Faultf(v.Place, "%s must be true or false", what)
	}
	return on
}

// Entries are the entries of a map; anything else but nothing is a fault.
func (r *Reading) Entries(v *cfn.Value, what string) []cfn.Entry {
	if v == nil || v.Kind == cfn.Null {
		return nil
	}
	if !v.Is(cfn.Map) {
		r.Faultf(v.Place, "%s must be a map, not %s", what, v.Kind)
	}
	return v.Keys
}

// CheckKeys faults every key of a map that is not among the known ones.
func (r *Reading) CheckKeys(v *cfn.Value, what string, known []string) {
	if !v.Is(cfn.Map) {
		return
	}
	for _, e := range v.Keys {
		if !slices.Contains(known, e.Key) {
			r.Faultf(e.Place, "%s has no setting %q%s", what, e.Key, Suggest(e.Key, known))
		}
	}
}

// HintKeys warns of keys that look like a misspelling of a known one. Others pass: plugins bring their own.
func (r *Reading) HintKeys(v *cfn.Value, what string, known []string) {
	if !v.Is(cfn.Map) {
		return
	}
	for _, e := range v.Keys {
		if slices.Contains(known, e.Key) {
			continue
		}
		if k := Nearest(e.Key, known); k != "" && v.Get(k) == nil {
			r.Warnf(e.Place, "%s has no setting %q, so it has no effect; did you mean %s?", what, e.Key, k)
		}
	}
}

// KindOf names the kind of a value that a fault speaks of.
func KindOf(v *cfn.Value) string {
	if v == nil {
		return "absent"
	}
	return v.Kind.String()
}

// WholeNumber reads "5" and "5.0".
func WholeNumber(s string) (int, bool) {
	n, err := strconv.Atoi(strings.TrimSuffix(s, ".0"))
	return n, err == nil
}

var sizeText = regexp.MustCompile(`(?i)^([0-9]{1,12})\s*(|b|k|kb|kib|m|mb|mib|g|gb|gib)$`)

// ParseSize reads a number of bytes: "512", "32KB", "1 MiB". K, M and G are powers of 1024.
func ParseSize(s string) (int64, bool) {
	m := sizeText.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return 0, false
	}
	shift := map[byte]uint{'k': 10, 'm': 20, 'g': 30}[(strings.ToLower(m[2]) + " ")[0]]
	if n > math.MaxInt64>>shift {
		return 0, false
	}
	return n << shift, true
}

// ParseDuration reads "30s", "1h30m", a bare number of seconds, or "never" and "off" for zero.
func ParseDuration(s string) (time.Duration, bool) {
	s = strings.TrimSpace(s)
	if s == "never" || s == "off" {
		return 0, true
	}
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		if n < 0 || n > 1e8 || n != n {
			return 0, false
		}
		return time.Duration(n * float64(time.Second)), true
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d >= 0
}

// ParseSwitch reads on, true and yes, and their opposites.
func ParseSwitch(s string) (on, ok bool) {
	switch strings.ToLower(s) {
	case "on", "true", "yes":
		return true, true
	case "off", "false", "no":
		return false, true
	}
	return false, false
}

// IsHTTPURL reports whether a text is an absolute http:// or https:// URL.
func IsHTTPURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

package config

import (
	"strconv"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/cfn"
	"cleat/internal/input"
)

// Limits are what a project says about limits: a profile, and values that differ from it. The zero value says nothing.
type Limits struct {
	Profile   string // "aws", "open", or empty: nothing said
	Overrides []LimitOverride
}

// LimitOverride is one limit that differs from the profile.
type LimitOverride struct {
	Name  string // the field's name in cleat.yaml, such as "idleTimeout"
	Value int64  // bytes, nanoseconds, a count, or 0 and 1 for no and yes
	Place cfn.Place
}

// Apply returns the limits of a profile ("aws" or "open"; empty means the project's own, "aws" if it names none) with the
// project's overrides on top.
func (l Limits) Apply(profile string) apigw.Limits {
	if profile == "" {
		profile = l.Profile
	}
	limits := apigw.LimitsAWS()
	if profile == "open" {
		limits = apigw.LimitsOpen()
	}
	for _, o := range l.Overrides {
		for _, f := range limitFields {
			if f.name == o.Name {
				f.set(&limits, o.Value)
			}
		}
	}
	return limits
}

type limitKind uint8

const (
	limitBytes limitKind = iota
	limitDuration
	limitCount
	limitRate // a count, or "never" and "off" for zero
	limitSwitch
)

// limitField is a field of apigw.Limits as cleat.yaml names it.
type limitField struct {
	name     string
	kind     limitKind
	mayBeOff bool // zero ("never") is legal
	set      func(*apigw.Limits, int64)
}

var limitFields = []limitField{
	{"frameSize", limitBytes, false, func(l *apigw.Limits, n int64) { l.FrameSize = int(n) }},
	{"messageSize", limitBytes, false, func(l *apigw.Limits, n int64) { l.MessageSize = int(n) }},
	{"idleTimeout", limitDuration, true, func(l *apigw.Limits, n int64) { l.IdleTimeout = time.Duration(n) }},
	{"maxDuration", limitDuration, true, func(l *apigw.Limits, n int64) { l.MaxDuration = time.Duration(n) }},
	{"pingInterval", limitDuration, true, func(l *apigw.Limits, n int64) { l.PingInterval = time.Duration(n) }},
	{"binary", limitSwitch, true, func(l *apigw.Limits, n int64) { l.Binary = n != 0 }},
	{"compression", limitSwitch, true, func(l *apigw.Limits, n int64) { l.Compression = n != 0 }},
	{"controlIsActivity", limitSwitch, true, func(l *apigw.Limits, n int64) { l.ControlIsActivity = n != 0 }},
	{"inFlight", limitCount, false, func(l *apigw.Limits, n int64) { l.InFlight = int(n) }},
	{"writeQueue", limitBytes, false, func(l *apigw.Limits, n int64) { l.WriteQueue = int(n) }},
	{"writeTimeout", limitDuration, false, func(l *apigw.Limits, n int64) { l.WriteTimeout = time.Duration(n) }},
	{"handshakeTimeout", limitDuration, false, func(l *apigw.Limits, n int64) { l.HandshakeTimeout = time.Duration(n) }},
	{"closeTimeout", limitDuration, false, func(l *apigw.Limits, n int64) { l.CloseTimeout = time.Duration(n) }},
	{"connectRate", limitRate, true, func(l *apigw.Limits, n int64) { l.ConnectRate = int(n) }},
	{"requestRate", limitRate, true, func(l *apigw.Limits, n int64) { l.RequestRate = int(n) }},
	{"requestBurst", limitRate, true, func(l *apigw.Limits, n int64) { l.RequestBurst = int(n) }},
}

func limitKeys() []string {
	keys := []string{"profile"}
	for _, f := range limitFields {
		keys = append(keys, f.name)
	}
	return keys
}

// readLimits reads `limits`: a profile's name, or a map of a profile and overrides.
func (s *reader) readLimits(v *cfn.Value) Limits {
	var out Limits
	profile := v
	if v.Is(cfn.Map) {
		profile = v.Get("profile")
		s.CheckKeys(v, "limits", limitKeys())
	}
	if name, ok := s.Text(profile, "limits.profile"); ok {
		if name != "aws" && name != "open" {
			s.Faultf(profile.Place, "there is no limits profile %q%s", name, input.Suggest(name, []string{"aws", "open"}))
		}
		out.Profile = name
	}
	for _, f := range limitFields {
		fv := v.Get(f.name)
		if fv == nil {
			continue
		}
		n, why := limitValue(fv, f.kind)
		switch {
		case why != "":
			s.Faultf(fv.Place, "limits.%s: %s", f.name, why)
		case n == 0 && !f.mayBeOff:
			s.Faultf(fv.Place, "limits.%s must be more than zero", f.name)
		default:
			out.Overrides = append(out.Overrides, LimitOverride{f.name, n, fv.Place})
		}
	}
	return out
}

func limitValue(v *cfn.Value, kind limitKind) (n int64, why string) {
	text, ok := v.Scalar()
	if !ok {
		return 0, "expected one value, not " + input.KindOf(v)
	}
	switch kind {
	case limitBytes:
		if n, ok = input.ParseSize(text); !ok || n > 1<<30 {
			return 0, strconv.Quote(text) + " is not a size of at most 1 GB, such as 32KB or 1MB"
		}
	case limitDuration:
		d, ok := input.ParseDuration(text)
		if !ok {
			return 0, strconv.Quote(text) + " is not a duration, such as 30s, 10m or never"
		}
		n = int64(d)
	case limitCount:
		i, ok := input.WholeNumber(text)
		if !ok || i < 0 || i > 1<<20 {
			return 0, strconv.Quote(text) + " is not a whole number up to 1048576"
		}
		n = int64(i)
	case limitRate:
		if i, ok := input.WholeNumber(text); ok && i >= 0 && i <= 1<<30 {
			return int64(i), ""
		}
		if text != "never" && text != "off" {
			return 0, strconv.Quote(text) + " is not a whole number up to 1073741824, nor off"
		}
	case limitSwitch:
		on, ok := input.ParseSwitch(text)
		if !ok {
			return 0, strconv.Quote(text) + " is neither on nor off"
		}
		if on {
			n = 1
		}
	}
	return n, ""
}

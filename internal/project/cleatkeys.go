package project

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/blueprint"
	"cleat/internal/cfn"
	"cleat/internal/input"
)

var (
	keyName   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)
	quotaText = regexp.MustCompile(`(?i)^([0-9]{1,10})\s*/\s*(day|week|month)$`)
)

// readAPIKeys makes API keys and usage plans of `apiKeys` and `usagePlans`. Keys without any plan are put into one that
// limits nothing.
func (s *short) readAPIKeys() {
	keys, plans := s.Entries(s.root.Get("apiKeys"), "apiKeys"), s.Entries(s.root.Get("usagePlans"), "usagePlans")
	taken := map[string]string{} // names by resource ID
	free := func(e cfn.Entry, what, id string) bool {
		switch other, found := taken[id]; {
		case !keyName.MatchString(e.Key):
			s.Faultf(e.Place, "%q cannot be the name of %s: want 1 to 100 letters, digits, - and _", e.Key, what)
		case found:
			s.Faultf(e.Place, "%s and %s would both be the resource %s: rename one", other, e.Key, id)
		default:
			taken[id] = e.Key
			return true
		}
		return false
	}
	var names []string
	for _, e := range keys {
		names = append(names, e.Key)
		if free(e, "an API key", blueprint.APIKeyID(e.Key)) {
			s.addShortKey(e)
		}
	}
	for _, e := range plans {
		if free(e, "a usage plan", blueprint.UsagePlanID(e.Key)) {
			s.addShortPlan(e, names)
		}
	}
	if at := s.root.Get("apiKeys").At(); len(plans) == 0 && len(keys) > 0 {
		s.addPlan(at, "default", s.p.Name, &cfn.Value{Kind: cfn.Map, Place: at}, cfn.ListOf(at, s.planStage(at)))
		for _, e := range keys {
			s.addPlanKey(e.Place, "default", e.Key)
		}
	}
}

// addShortKey makes one entry of `apiKeys`: a value, nothing for one that Cleat makes up, or a map.
func (s *short) addShortKey(e cfn.Entry) {
	what := "API key " + e.Key
	props := cfn.MapOf(e.Place, "Name", cfn.TextOf(e.Place, e.Key))
	value, enabled := e.Value, true
	if value.Is(cfn.Map) {
		s.CheckKeys(value, what, cleatSettings["apiKey"])
		enabled = s.Flag(value.Get("enabled"), what+": enabled", true)
		for _, kv := range [][2]string{{"description", "Description"}, {"customerId", "CustomerId"}} {
			if _, ok := s.Text(value.Get(kv[0]), what+": "+kv[0]); ok {
				props.Set(cfn.Entry{Key: kv[1], Place: value.Get(kv[0]).Place, Value: value.Get(kv[0])})
			}
		}
		value = value.Get("value")
	}
	if text, ok := s.Text(value, what); ok {
		if text == "" {
			s.Faultf(value.Place, "%s is empty: give it 20 to 128 characters, or leave the value out to have one made", what)
			return
		}
		props.Set(cfn.Entry{Key: "Value", Place: value.Place, Value: cfn.TextOf(value.Place, text)})
	}
	props.Set(cfn.Entry{Key: "Enabled", Place: e.Place, Value: cfn.BoolOf(e.Place, enabled)})
	s.t.Add(e.Place, blueprint.APIKeyID(e.Key), "AWS::ApiGateway::ApiKey", props)
}

// addShortPlan makes one entry of `usagePlans`.
func (s *short) addShortPlan(e cfn.Entry, keys []string) {
	what, v := "usage plan "+e.Key, e.Value
	s.Entries(v, what)
	s.CheckKeys(v, what, cleatSettings["usagePlan"])
	props := &cfn.Value{Kind: cfn.Map, Place: e.Place}
	if d := v.Get("description"); d != nil {
		if _, ok := s.Text(d, what+": description"); ok {
			props.Set(cfn.Entry{Key: "Description", Place: d.Place, Value: d})
		}
	}
	if t := v.Get("throttle"); t != nil {
		props.Set(cfn.Entry{Key: "Throttle", Place: t.Place, Value: s.throttleSettings(t, what+": throttle", "")})
	}
	if q := v.Get("quota"); q != nil {
		props.Set(cfn.Entry{Key: "Quota", Place: q.Place, Value: s.quota(q, what+": quota")})
	}
	stage := s.planStage(e.Place)
	throttles := &cfn.Value{Kind: cfn.Map, Place: v.Get("routes").At()}
	var routes []string
	for _, r := range s.Entries(s.root.Get("routes"), "routes") {
		routes = append(routes, r.Key)
	}
	for _, r := range s.Entries(v.Get("routes"), what+": routes") {
		if !slices.Contains(routes, r.Key) {
			s.Faultf(r.Place, "%s: there is no route %q%s", what, r.Key, input.DidYouMean(r.Key, routes))
			continue
		}
		throttles.Set(cfn.Entry{Key: r.Key, Place: r.Place, Value: s.throttleSettings(r.Value, what+": route "+r.Key, "")})
	}
	if len(throttles.Keys) > 0 {
		stage.Set(cfn.Entry{Key: "Throttle", Place: throttles.Place, Value: throttles})
	}
	s.addPlan(e.Place, e.Key, e.Key, props, cfn.ListOf(e.Place, stage))
	list := v.Get("keys")
	if list.Is(cfn.String) {
		list = cfn.ListOf(list.Place, list)
	}
	if !list.Is(cfn.List) || len(list.Items) == 0 {
		s.Faultf(e.Place, "%s has no `keys`: a list of names under apiKeys", what)
		return
	}
	for _, item := range list.Items {
		name, ok := s.Text(item, what+": keys")
		switch {
		case ok && !slices.Contains(keys, name):
			s.Faultf(item.Place, "%s: there is no key %q under apiKeys%s", what, name, input.DidYouMean(name, keys))
		case ok:
			s.addPlanKey(item.Place, e.Key, name)
		}
	}
}

// planStage is the stage of this file in a usage plan.
func (s *short) planStage(at cfn.Place) *cfn.Value {
	return cfn.MapOf(at, "ApiId", cfn.Ref(at, blueprint.APIID), "Stage", cfn.Ref(at, blueprint.StageID))
}

func (s *short) addPlan(at cfn.Place, key, name string, props, stages *cfn.Value) {
	props.Set(cfn.Entry{Key: "UsagePlanName", Place: at, Value: cfn.TextOf(at, name)})
	props.Set(cfn.Entry{Key: "ApiStages", Place: at, Value: stages})
	s.t.Add(at, blueprint.UsagePlanID(key), "AWS::ApiGateway::UsagePlan", props)
}

func (s *short) addPlanKey(at cfn.Place, plan, key string) {
	s.t.Add(at, blueprint.UsagePlanKeyID(plan, key), "AWS::ApiGateway::UsagePlanKey", cfn.MapOf(at,
		"KeyId", cfn.Ref(at, blueprint.APIKeyID(key)), "KeyType", cfn.TextOf(at, "API_KEY"), "UsagePlanId", cfn.Ref(at, blueprint.UsagePlanID(plan))))
}

// throttleSettings reads a map of rate and burst into properties that are named with a prefix, as in
// ThrottlingRateLimit.
func (s *short) throttleSettings(v *cfn.Value, what, prefix string) *cfn.Value {
	s.Entries(v, what)
	s.CheckKeys(v, what, cleatSettings["throttle"])
	settings := &cfn.Value{Kind: cfn.Map, Place: v.At()}
	if rate := v.Get("rate"); s.rate(rate, what+".rate") {
		settings.Set(cfn.Entry{Key: prefix + "RateLimit", Place: rate.Place, Value: rate})
	}
	if n, ok := s.Number(v.Get("burst"), what+".burst", 1, 100_000_000); ok {
		at := v.Get("burst").Place
		settings.Set(cfn.Entry{Key: prefix + "BurstLimit", Place: at, Value: cfn.NumberOf(at, n)})
	}
	return settings
}

// rate reports whether a value is there and a rate: a number above zero, fractions included.
func (s *short) rate(v *cfn.Value, what string) bool {
	text, ok := s.Text(v, what)
	if !ok {
		return false
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n > 0 && n <= 100_000_000) {
		s.Faultf(v.Place, "%s is %s: it must be a number above 0, such as 100 or 0.5, up to 100000000", what, text)
		return false
	}
	return true
}

// quota reads "1000/day", or a map.
func (s *short) quota(v *cfn.Value, what string) *cfn.Value {
	limit, period, offset := v.Get("limit"), v.Get("period"), v.Get("offset")
	if v.Is(cfn.Map) {
		s.CheckKeys(v, what, cleatSettings["quota"])
	} else {
		text, ok := s.Text(v, what)
		m := quotaText.FindStringSubmatch(text)
		if ok && m == nil {
			s.Faultf(v.Place, "%s: %q is not a number of requests a day, week or month, such as 1000/day", what, text)
		}
		if m == nil {
			return nil
		}
		limit, period = cfn.TextOf(v.Place, m[1]), cfn.TextOf(v.Place, m[2])
	}
	out := &cfn.Value{Kind: cfn.Map, Place: v.Place}
	if n, ok := s.Number(limit, what+".limit", 1, 1<<31-1); ok {
		out.Set(cfn.Entry{Key: "Limit", Place: limit.Place, Value: cfn.NumberOf(limit.Place, n)})
	} else if limit == nil {
		s.Faultf(v.Place, "%s has no `limit`", what)
	}
	name, ok := s.Text(period, what+".period")
	last, known := map[string]int{"DAY": 0, "WEEK": 6, "MONTH": 27}[strings.ToUpper(name)]
	switch {
	case ok && known:
		out.Set(cfn.Entry{Key: "Period", Place: period.Place, Value: cfn.TextOf(period.Place, strings.ToUpper(name))})
	case ok:
		s.Faultf(period.Place, "%s.period %q is not one of day, week, month", what, name)
	case period == nil:
		s.Faultf(v.Place, "%s has no `period`: day, week or month", what)
	}
	if !known {
		return out
	}
	if n, ok := s.Number(offset, what+".offset", 0, last); ok {
		out.Set(cfn.Entry{Key: "Offset", Place: offset.Place, Value: cfn.NumberOf(offset.Place, n)})
	}
	return out
}

// throttleRoute notes the throttle of a route, which belongs to the stage.
func (s *short) throttleRoute(route string, v *cfn.Value) {
	if v == nil {
		return
	}
	if route == apigw.RouteDisconnect {
		s.Faultf(v.Place, "route $disconnect cannot be throttled: it is called when a connection has ended, however many do")
		return
	}
	s.routeSettings.Set(cfn.Entry{Key: route, Place: v.Place, Value: s.throttleSettings(v, "route "+route+": throttle", "Throttling")})
}

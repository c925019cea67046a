package gateway

import (
	"net/http"
	"slices"
	"strings"

	"cleat/internal/apigw"
)

// admit decides whether a client may connect, in the order of spec data-plane §2 steps 6 to 9: each check may refuse
// with its own error. The throttles of step 8 that need nobody's name come before it (takeConnect). What the checks find
// out about the client is kept in the session's grant, and shown in ev, from then on.
func (g *Gateway) admit(r *http.Request, s *session, p *plan, ev *apigw.Event, rec *apigw.Record) error {
	if err := g.authorize(r, s, p, ev, rec); err != nil {
		return err
	}
	if err := g.checkAPIKey(s, p, ev, ev.Context.RequestTime); err != nil {
		return err
	}
	return requireParameters(p.route.RequestParameters, ev)
}

// requireParameters refuses a client that left out a required request parameter of $connect (spec data-plane §2.9,
// open-questions 42).
func requireParameters(constraints map[string]apigw.ParameterConstraint, ev *apigw.Event) error {
	if missing := missingParameters(constraints, ev); len(missing) > 0 {
		return &apigw.Error{Kind: apigw.KindBadRequest, Message: "Missing required request parameters: [" + strings.Join(missing, ", ") + "]"}
	}
	return nil
}

// missingParameters names the required request parameters of $connect that the client left out.
func missingParameters(constraints map[string]apigw.ParameterConstraint, ev *apigw.Event) []string {
	var missing []string
	for key, c := range constraints {
		if !c.Required {
			continue
		}
		found, name := true, ""
		if n, ok := strings.CutPrefix(key, "route.request.header."); ok {
			name = n
			_, found = ev.Headers.LastFold(n)
		} else if n, ok := strings.CutPrefix(key, "route.request.querystring."); ok {
			name = n
			_, found = ev.Query.Last(n)
		}
		if !found {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	return missing
}

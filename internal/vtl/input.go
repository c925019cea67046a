package vtl

import (
	"slices"
	"strconv"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/jsonpath"
)

// Input is what a template sees of one event, in one phase of it. It belongs to one goroutine.
type Input struct {
	Event   *apigw.Event // required
	Payload *Payload     // nil: an empty body
	// Status is $context.status, the backend's in the response phase. Zero: there is none.
	Status int
	// Overrides is what templates assigned under $context.requestOverride and $context.responseOverride. Render adds to
	// what is there.
	Overrides Overrides
	// Yield is called once a rendering has turned out to be long, before it goes on. Nil: nobody wants to know.
	Yield func()
}

// Overrides are what templates overrode. Of a name that was assigned twice the last value counts.
type Overrides struct {
	Header, Query, Path apigw.Fields // of the request to the backend
	Status              int          // of the response; zero: not overridden
	ResponseHeader      apigw.Fields
}

// Payload is a body, and the document in it: parsed when the first template or mapping asks for it, and only once. It
// belongs to one goroutine.
type Payload struct {
	body   []byte
	text   string
	read   bool // text is set
	parsed bool
	value  any
	err    error
	empty  jsonpath.Object // the document of an empty body
}

// NewPayload makes the payload of a body, which must not change from then on.
func NewPayload(body []byte) *Payload { return &Payload{body: body} }

// Reset makes p the payload of a body, as NewPayload does. Nothing that came of the one before may be in use any more.
func (p *Payload) Reset(body []byte) { *p = Payload{body: body} }

// Text is the body as text, {} when it is empty (spec mapping-templates §4). A nil payload is empty.
func (p *Payload) Text() string {
	if p == nil || len(p.body) == 0 {
		return "{}"
	}
	if !p.read {
		p.text, p.read = string(p.body), true
	}
	return p.text
}

// Document is the body's JSON. The error is that of jsonpath.Parse.
func (p *Payload) Document() (any, error) {
	if p == nil {
		return new(jsonpath.Object), nil
	}
	if !p.parsed {
		if len(p.body) == 0 {
			p.empty = jsonpath.Object{}
			p.value = &p.empty
		} else {
			p.value, p.err = jsonpath.Parse(p.Text())
		}
		p.parsed = true
	}
	return p.value, p.err
}

// Forget makes the next Document read the body anew, for a template may have changed what was read; see Changes.
func (p *Payload) Forget() { p.parsed, p.value, p.err = false, nil, nil }

// find follows a path into the payload. A body that is not JSON fails the template (open-questions 7).
func (r *renderer) find(at int, path *jsonpath.Path) (any, bool) {
	document, err := r.in.Payload.Document()
	if err != nil {
		r.fail(at, "the payload is not JSON (%v); $input.body gives it as it is", err)
	}
	v, found, err := path.Eval(document, &r.left)
	if r.left == 0 {
		r.step(at, 1)
	}
	if err != nil {
		r.fail(at, "%v", err)
	}
	return v, found
}

// path is the argument of $input.path and $input.json.
func (r *renderer) path(l *link, args []any) *jsonpath.Path {
	if l.path != nil {
		return l.path
	}
	path, err := jsonpath.Compile(r.string(l.at, args[0]))
	if err != nil {
		r.fail(l.at, "%v", err)
	}
	return path
}

// callInput is $input's methods.
func (r *renderer) callInput(in *Input, l *link, args []any) any {
	switch {
	case l.name == "path" && len(args) == 1:
		v, _ := r.find(l.at, r.path(l, args))
		if v == nil {
			return missing{}
		}
		return v
	case l.name == "json" && len(args) == 1:
		v, found := r.find(l.at, r.path(l, args))
		if !found {
			return jsonOfMissing
		}
		text, err := jsonpath.Append(r.room[:0], v, maxOutput)
		if err != nil {
			r.fail(l.at, "%v", err)
		}
		r.room = text
		r.made(l.at, len(text))
		return string(text)
	case l.name == "params" && len(args) == 0:
		r.step(l.at, len(in.Event.Query)+len(in.Event.Headers))
		return parameters(in.Event)
	case l.name == "params" && len(args) == 1:
		return r.parameter(in.Event, r.string(l.at, args[0]))
	}
	return nil
}

// parameters is $input.params(). WebSocket events have no path parameters.
func parameters(ev *apigw.Event) *jsonpath.Object {
	return jsonpath.NewObject(
		jsonpath.Member{Name: "path", Value: new(jsonpath.Object)},
		jsonpath.Member{Name: "querystring", Value: objectOf(ev.Query)},
		jsonpath.Member{Name: "header", Value: objectOf(ev.Headers)},
	)
}

func (r *renderer) parameter(ev *apigw.Event, name string) any {
	for _, from := range []apigw.Fields{ev.Query, ev.Headers} {
		if v, ok := from.Last(name); ok {
			return v
		}
	}
	return nil
}

func objectOf(fields apigw.Fields) *jsonpath.Object {
	o := new(jsonpath.Object)
	for _, f := range fields {
		o.Set(f.Name, f.Value)
	}
	return o
}

func stageVariables(in *Input) *jsonpath.Object {
	members := make([]jsonpath.Member, 0, len(in.Event.StageVariables))
	for name, value := range in.Event.StageVariables {
		members = append(members, jsonpath.Member{Name: name, Value: value})
	}
	slices.SortFunc(members, func(a, b jsonpath.Member) int { return strings.Compare(a.Name, b.Name) })
	return jsonpath.NewObject(members...)
}

// Names of $context's members that templates assign below.
const (
	requestOverride  = "requestOverride"
	responseOverride = "responseOverride"
)

// contextObject is $context: a map whose members are made when they are asked for.
type contextObject struct {
	in   *Input
	made jsonpath.Object // what has been made, or assigned
}

func (c *contextObject) set(name string, v any) { c.made.Set(name, v) }

// get returns a member (spec mapping-templates §5), nil when the event has none of the name.
func (c *contextObject) get(name string) any {
	if v, ok := c.made.Get(name); ok {
		return v
	}
	rc := &c.in.Event.Context
	switch name {
	case "connectedAt":
		return rc.ConnectedAt.UnixMilli()
	case "requestTimeEpoch":
		return rc.RequestTime.UnixMilli()
	case "disconnectStatusCode":
		if rc.EventType == apigw.EventDisconnect {
			return jsonpath.Integer(int64(rc.DisconnectStatusCode))
		}
		return nil
	case "isBase64Encoded":
		if rc.EventType == apigw.EventMessage {
			return false
		}
		return nil
	case "status":
		if c.in.Status != 0 {
			return jsonpath.Integer(int64(c.in.Status))
		}
		return nil
	}
	if v, ok := rc.Lookup(name); ok {
		return v
	}
	if o := c.object(name); o != nil { // kept, for a template may change it
		c.made.Set(name, o)
		return o
	}
	return nil
}

// object makes the members that are maps.
func (c *contextObject) object(name string) *jsonpath.Object {
	rc := &c.in.Event.Context
	switch name {
	case identityObject:
		o := new(jsonpath.Object)
		for _, member := range identityMembers {
			if v, ok := rc.Lookup("identity." + member); ok {
				o.Set(member, v)
			}
		}
		return o
	case "authorizer":
		if rc.Authorizer != nil {
			return objectOf(rc.Authorizer)
		}
	case requestOverride:
		return overridable("header", "querystring", "path")
	case responseOverride:
		return overridable("header")
	}
	return nil
}

func overridable(names ...string) *jsonpath.Object {
	o := new(jsonpath.Object)
	for _, name := range names {
		o.Set(name, new(jsonpath.Object))
	}
	return o
}

// identityObject is the member of $context that is a map of what is known of the caller.
const identityObject = "identity"

// identityMembers in the order of captured events (spec events-and-integrations §1.1).
var identityMembers = []string{"apiKey", "apiKeyId", "accountId", "accessKey", "caller", "user", "userArn", "principalOrgId", "userAgent", "sourceIp"}

// wholeMembers is what $context prints as a whole, null where the event has none (spec mapping-templates §5). The
// authorizer's stands where events have it, and only then.
var wholeMembers = []string{
	"routeKey", "disconnectStatusCode", "authorizer", "messageId", "eventType", "extendedRequestId", "requestTime", "messageDirection",
	"disconnectReason", "stage", "connectedAt", "requestTimeEpoch", "identity", "requestId", "domainName", "connectionId", "apiId",
}

func (c *contextObject) whole() *jsonpath.Object {
	o := new(jsonpath.Object)
	for _, name := range wholeMembers {
		if v := c.get(name); v != nil || name != "authorizer" {
			o.Set(name, v)
		}
	}
	return o
}

// take notes what a template overrode.
func (o *Overrides) take(r *renderer) {
	if r.context == nil {
		return
	}
	if request, ok := member(&r.context.made, requestOverride); ok {
		for name, to := range map[string]*apigw.Fields{"header": &o.Header, "querystring": &o.Query, "path": &o.Path} {
			o.fields(r, request, name, to)
		}
	}
	response, ok := member(&r.context.made, responseOverride)
	if !ok {
		return
	}
	o.fields(r, response, "header", &o.ResponseHeader)
	if v, ok := response.Get("status"); ok {
		if n, err := strconv.Atoi(r.string(0, v)); err == nil && n >= 100 && n <= 599 {
			o.Status = n
		}
	}
}

func member(o *jsonpath.Object, name string) (*jsonpath.Object, bool) {
	v, _ := o.Get(name)
	inner, ok := v.(*jsonpath.Object)
	return inner, ok
}

func (o *Overrides) fields(r *renderer, of *jsonpath.Object, name string, to *apigw.Fields) {
	given, ok := member(of, name)
	if !ok {
		return
	}
	for _, m := range given.Members() {
		if undefined(m.Value) {
			continue
		}
		*to = slices.DeleteFunc(*to, func(f apigw.Field) bool {
			return f.Name == m.Name || name == "header" && strings.EqualFold(f.Name, m.Name)
		})
		*to = append(*to, apigw.Field{Name: m.Name, Value: r.string(0, m.Value)})
	}
}

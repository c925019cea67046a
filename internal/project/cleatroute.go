package project

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/blueprint"
	"cleat/internal/cfn"
	"cleat/internal/handlers"
	"cleat/internal/input"
)

var (
	routeTargets = []string{"http", "function", "mock", "integration"}
	// settingTargets are the settings of a route that only some targets have.
	settingTargets = map[string][]string{
		"method":    {"http"},
		"headers":   {"http"},
		"query":     {"http"},
		"path":      {"http"},
		"template":  {"http", "mock"},
		"responses": {"http", "mock", "integration"},
	}
	methods      = []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY"}
	mappedSource = regexp.MustCompile(`^(route\.request\.body\..+|route\.request\.[A-Za-z0-9._$-]+|context\.[A-Za-z0-9._$-]+|stageVariables\.[A-Za-z0-9._$-]+)$`)
	// integrationProperties are those of AWS::ApiGatewayV2::Integration that WebSocket APIs have (spec control-plane §6).
	integrationProperties = []string{
		"IntegrationType", "IntegrationUri", "IntegrationMethod", "ConnectionType", "ConnectionId", "ContentHandlingStrategy",
		"CredentialsArn", "Description", "PassthroughBehavior", "PayloadFormatVersion", "RequestParameters", "RequestTemplates",
		"TemplateSelectionExpression", "TimeoutInMillis",
	}
	routeProperties = []string{
		"ApiKeyRequired", "ModelSelectionExpression", "OperationName", "RequestModels", "RequestParameters",
		"RouteResponseSelectionExpression", "AuthorizationType", "AuthorizerId",
	}
)

// defaultTemplate is the template selection expression that always selects the key "$default".
const defaultTemplate = `\$default`

// addShortAuthorizer makes one entry of `authorizers`.
func (s *short) addShortAuthorizer(e cfn.Entry) {
	what := "authorizer " + e.Key
	fn, identity := e.Value, cfn.Texts(e.Place, blueprint.DefaultIdentitySource)
	if e.Value.Is(cfn.Map) {
		s.CheckKeys(e.Value, what, cleatSettings["authorizer"])
		fn = e.Value.Get("function")
		switch v := e.Value.Get("identitySource"); {
		case v.Is(cfn.List):
			identity = v
		case v.Is(cfn.String):
			identity = cfn.ListOf(v.Place, v)
		case v != nil:
			s.Faultf(v.Place, "%s: identitySource must be a list, not %s", what, v.Kind)
		}
		blueprint.CheckIdentity(s.Reading, what, identity)
	}
	if fn == nil || fn.Is(cfn.Null) {
		s.Faultf(e.Place, "%s has no `function`", what)
		return
	}
	arn := s.functionARN(fn, what)
	if arn == nil {
		return
	}
	s.api.Add(e.Place, blueprint.AuthorizerID(e.Key), "AWS::ApiGatewayV2::Authorizer", cfn.MapOf(e.Place,
		"ApiId", cfn.Ref(e.Place, blueprint.APIID),
		"Name", cfn.TextOf(e.Place, e.Key),
		"AuthorizerType", cfn.TextOf(e.Place, "REQUEST"),
		"AuthorizerUri", blueprint.LambdaURI(fn.Place, arn),
		"IdentitySource", identity))
	s.api.Permit(fn.Place, blueprint.AuthorizerID(e.Key)+"Permission", arn)
}

// addShortRoute makes one entry of `routes`: a URL, a function's name, or a map.
func (s *short) addShortRoute(e cfn.Entry) {
	what := "route " + e.Key
	if why := blueprint.RouteFault(e.Key); why != "" {
		s.Faultf(e.Place, "%s", why)
		return
	}
	if at, taken := s.routes[blueprint.RouteID(e.Key)]; taken {
		s.Faultf(e.Place, "%s and the one at %s would both be the resource %s: rename one", what, at, blueprint.RouteID(e.Key))
		return
	}
	s.routes[blueprint.RouteID(e.Key)] = e.Place
	v := e.Value
	if v.Is(cfn.String) {
		key := "function"
		if strings.Contains(v.Text, "://") {
			key = "http"
		}
		v = cfn.MapOf(v.Place, key, v)
	}
	if !v.Is(cfn.Map) {
		if !s.r.IsBroken(v) {
			s.Faultf(e.Place, "%s must be a URL, a function's name, or a map with one of %s, not %s", what, strings.Join(routeTargets, ", "), input.KindOf(v))
		}
		return
	}
	s.CheckKeys(v, what, cleatSettings["route"])
	var targets []string
	for _, key := range routeTargets {
		if v.Get(key) != nil {
			targets = append(targets, key)
		}
	}
	if len(targets) != 1 {
		s.Faultf(e.Place, "%s must have exactly one of %s", what, strings.Join(routeTargets, ", "))
		return
	}
	props, responses := s.integration(v, targets[0], what)
	if props == nil {
		return
	}
	s.addShortRouteResources(e, v, props, responses)
}

func (s *short) addShortRouteResources(e cfn.Entry, v, props, responses *cfn.Value) {
	at, what := e.Place, "route "+e.Key
	id := blueprint.RouteID(e.Key)
	integration := blueprint.NormalRoute(e.Key) + "WebsocketsIntegration"
	props.Keys = append([]cfn.Entry{{Key: "ApiId", Place: at, Value: cfn.Ref(at, blueprint.APIID)}}, props.Keys...)
	s.api.Add(at, integration, "AWS::ApiGatewayV2::Integration", props)
	twoWay := s.Flag(v.Get("twoWay"), what+": twoWay", v.Path("mock", "response") != nil)
	if twoWay && responses == nil && !slices.Contains([]string{"AWS_PROXY", "HTTP_PROXY"}, props.Get("IntegrationType").Str()) {
		responses = cfn.MapOf(at, apigw.RouteDefault, cfn.MapOf(at))
	}
	for i, r := range s.Entries(responses, what+": responses") {
		s.addShortResponse(e, integration, i, r)
	}
	route := cfn.MapOf(at,
		"ApiId", cfn.Ref(at, blueprint.APIID),
		"RouteKey", cfn.TextOf(at, e.Key),
		"AuthorizationType", cfn.TextOf(at, apigw.AuthorizationNone),
		"Target", cfn.Join(at, "/", cfn.TextOf(at, "integrations"), cfn.Ref(at, integration)))
	s.authorize(v.Get("authorizer"), e.Key, route)
	if s.Flag(v.Get("apiKeyRequired"), what+": apiKeyRequired", false) {
		route.Set(cfn.Entry{Key: "ApiKeyRequired", Place: at, Value: cfn.BoolOf(at, true)})
	}
	s.validation(v, what, route)
	s.CheckKeys(v.Get("route"), what+": route", routeProperties)
	for _, p := range s.Entries(v.Get("route"), what+": route") {
		route.Set(p)
	}
	s.throttleRoute(e.Key, v.Get("throttle"))
	s.deps = append(s.deps, id)
	if twoWay {
		route.Set(cfn.Entry{Key: "RouteResponseSelectionExpression", Place: at, Value: cfn.TextOf(at, apigw.RouteDefault)})
	}
	s.api.Add(at, id, "AWS::ApiGatewayV2::Route", route)
	if twoWay {
		s.deps = append(s.deps, blueprint.RouteResponseID(e.Key))
		s.api.Add(at, blueprint.RouteResponseID(e.Key), "AWS::ApiGatewayV2::RouteResponse", cfn.MapOf(at,
			"ApiId", cfn.Ref(at, blueprint.APIID), "RouteId", cfn.Ref(at, id), "RouteResponseKey", cfn.TextOf(at, apigw.RouteDefault)))
	}
}

func (s *short) authorize(v *cfn.Value, route string, props *cfn.Value) {
	name, ok := s.Text(v, "authorizer")
	if !ok {
		return
	}
	at := v.Place
	switch {
	case route != apigw.RouteConnect:
		s.Faultf(at, "an authorizer works on $connect only, not on route %q", route)
		return
	case name == apigw.AuthorizationIAM:
		props.Set(cfn.Entry{Key: "AuthorizationType", Place: at, Value: cfn.TextOf(at, name)})
		return
	case s.root.Get("authorizers").Get(name) == nil:
		var known []string
		for _, e := range s.Entries(s.root.Get("authorizers"), "authorizers") {
			known = append(known, e.Key)
		}
		s.Faultf(at, "there is no authorizer %q under authorizers%s", name, input.DidYouMean(name, append(known, apigw.AuthorizationIAM)))
		return
	}
	props.Set(cfn.Entry{Key: "AuthorizationType", Place: at, Value: cfn.TextOf(at, apigw.AuthorizationCustom)})
	props.Set(cfn.Entry{Key: "AuthorizerId", Place: at, Value: cfn.Ref(at, blueprint.AuthorizerID(name))})
}

// integration makes the properties of a route's integration, and what its integration responses are. Nil properties mean
// that a fault has been noted.
func (s *short) integration(v *cfn.Value, target, what string) (props, responses *cfn.Value) {
	tv := v.Get(target)
	at := tv.Place
	for _, key := range cleatSettings["route"] {
		targets, some := settingTargets[key]
		if wrong := v.Get(key); some && wrong != nil && !slices.Contains(targets, target) {
			s.Faultf(wrong.Place, "%s: %s belongs to %s, not to %s", what, key, strings.Join(targets, ", "), target)
		}
	}
	switch target {
	case "http":
		props = s.httpIntegration(v, what)
	case "function":
		arn := s.functionARN(tv, what)
		if arn == nil {
			return nil, nil
		}
		props = cfn.MapOf(at, "IntegrationType", cfn.TextOf(at, string(apigw.IntegrationAWSProxy)), "IntegrationUri", blueprint.LambdaURI(at, arn))
	case "mock":
		props, responses = s.mockIntegration(v, what)
	default:
		if !tv.Is(cfn.Map) {
			s.Faultf(at, "%s: integration must be a map of properties of AWS::ApiGatewayV2::Integration, not %s", what, tv.Kind)
			return nil, nil
		}
		s.CheckKeys(tv, what+": integration", integrationProperties)
		props = cfn.Merge(&cfn.Value{Kind: cfn.Map, Place: at}, tv)
	}
	if props == nil {
		return nil, nil
	}
	if given := v.Get("responses"); given != nil {
		responses = given
	}
	if n, ok := s.timeout(v.Get("timeout"), what); ok {
		props.Set(cfn.Entry{Key: "TimeoutInMillis", Place: at, Value: cfn.NumberOf(at, n)})
	}
	return props, responses
}

func (s *short) timeout(v *cfn.Value, what string) (millis int, ok bool) {
	if v == nil || v.Kind == cfn.Null {
		return 0, false
	}
	d, ok := input.ParseDuration(v.Str())
	if n := d.Milliseconds(); ok && n >= apigw.QuotaMinTimeoutMillis && n <= apigw.QuotaMaxTimeoutMillis {
		return int(n), true
	}
	s.Faultf(v.Place, "%s: timeout must be from 50ms to 29s, not %q", what, v.Str())
	return 0, false
}

func (s *short) httpIntegration(v *cfn.Value, what string) *cfn.Value {
	tv := v.Get("http")
	uri, ok := s.Text(tv, what+": http")
	if !ok {
		return nil
	}
	if plain := strings.NewReplacer("${", "", "{", "", "}", "").Replace(uri); !input.IsHTTPURL(plain) && !strings.HasPrefix(uri, "${stageVariables.") {
		s.Faultf(tv.Place, "%s: %q is not an http:// or https:// URL", what, uri)
		return nil
	}
	method := cfn.TextOf(tv.Place, "POST")
	if text, ok := s.Text(v.Get("method"), what+": method"); ok {
		method = cfn.TextOf(v.Get("method").Place, strings.ToUpper(text))
		if !slices.Contains(methods, method.Text) {
			s.Faultf(method.Place, "%s: method %q is not one of %s", what, text, strings.Join(methods, ", "))
		}
	}
	typ := apigw.IntegrationHTTPProxy
	template := v.Get("template")
	if _, ok := s.Text(template, what+": template"); ok || v.Get("responses") != nil {
		typ = apigw.IntegrationHTTP
	}
	props := cfn.MapOf(tv.Place,
		"IntegrationType", cfn.TextOf(tv.Place, string(typ)),
		"IntegrationUri", tv,
		"IntegrationMethod", method,
		"RequestParameters", s.requestParameters(v, what))
	if template.Is(cfn.String) {
		props.Keys = append(props.Keys, templates(template.Place, template.Text, "RequestTemplates")...)
	}
	return props
}

func templates(at cfn.Place, text, key string) []cfn.Entry {
	return cfn.MapOf(at, key, cfn.MapOf(at, apigw.RouteDefault, cfn.TextOf(at, text)), "TemplateSelectionExpression", cfn.TextOf(at, defaultTemplate)).Keys
}

// requestParameters maps headers, query and path (spec events-and-integrations §6.1). A value is a source such as
// context.connectionId, with or without a leading "$", or else literal text.
func (s *short) requestParameters(v *cfn.Value, what string) *cfn.Value {
	out := &cfn.Value{Kind: cfn.Map, Place: v.Place}
	for _, part := range [][2]string{{"headers", "header"}, {"query", "querystring"}, {"path", "path"}} {
		for _, e := range s.Entries(v.Get(part[0]), what+": "+part[0]) {
			text, ok := s.Text(e.Value, what+": "+part[0]+"."+e.Key)
			if !ok {
				continue
			}
			at := e.Value.Place
			switch bare := strings.TrimPrefix(text, "$"); {
			case mappedSource.MatchString(bare):
				text = bare
			case len(text) > 1 && text[0] == '\'' && text[len(text)-1] == '\'':
			case strings.ContainsAny(text, "'\r\n"):
				s.Faultf(at, "%s: a literal value cannot have a quote or a line break in it", what)
			default:
				text = "'" + text + "'"
			}
			out.Keys = append(out.Keys, cfn.Entry{Key: "integration.request." + part[1] + "." + e.Key, Place: e.Place, Value: cfn.TextOf(at, text)})
		}
	}
	if len(out.Keys) == 0 {
		return nil
	}
	return out
}

// checkMock looks at the settings of a mock: those of its route stand beside it, not in it.
func (s *short) checkMock(v *cfn.Value, what string) {
	for _, e := range v.Keys {
		switch known := cleatSettings["mock"]; {
		case slices.Contains(known, e.Key):
		case slices.Contains(cleatSettings["route"], e.Key):
			s.Faultf(e.Place, "%s: %s is a setting of the route: it belongs beside mock, not into it", what, e.Key)
		default:
			s.Faultf(e.Place, "%s: mock has no setting %q%s", what, e.Key, input.Suggest(e.Key, known))
		}
	}
}

// mockIntegration reads `mock`: true, or a status code and a response. A template of the route's own gives the status
// code in place of the plain one.
func (s *short) mockIntegration(route *cfn.Value, what string) (props, responses *cfn.Value) {
	v, status := route.Get("mock"), 200
	switch {
	case v.Is(cfn.Map):
		s.checkMock(v, what)
		if n, ok := s.Number(v.Get("statusCode"), what+": statusCode", 100, 599); ok {
			status = n
		}
	case v.Is(cfn.Bool) && v.Text == "true":
	default:
		s.Faultf(v.Place, "%s: mock must be true or a map with statusCode and response, not %s", what, input.KindOf(v))
		return nil, nil
	}
	at := v.Place
	props = cfn.MapOf(at, "IntegrationType", cfn.TextOf(at, string(apigw.IntegrationMock)))
	request := cfn.TextOf(at, `{"statusCode": `+strconv.Itoa(status)+`}`)
	if own := route.Get("template"); own != nil {
		if _, ok := s.Text(own, what+": template"); ok {
			request = own
		}
		if code := v.Get("statusCode"); code != nil {
			s.Faultf(code.Place, "%s: either statusCode or template says what status a mock has, not both", what)
		}
	}
	props.Keys = append(props.Keys, templates(request.Place, request.Text, "RequestTemplates")...)
	text := s.responseText(v.Get("response"))
	if text == "" {
		return props, cfn.MapOf(at, apigw.RouteDefault, cfn.MapOf(at))
	}
	return props, cfn.MapOf(at, apigw.RouteDefault, cfn.MapOf(at, "template", cfn.TextOf(at, text)))
}

// responseText is a template: text as it is, anything else as JSON.
func (s *short) responseText(v *cfn.Value) string {
	if v == nil || v.Kind == cfn.Null {
		return ""
	}
	if v.Is(cfn.String) {
		return v.Text
	}
	var b strings.Builder
	writeJSON(&b, v)
	return b.String()
}

func writeJSON(b *strings.Builder, v *cfn.Value) {
	quote := func(s string) {
		text, err := json.Marshal(s)
		if err != nil { // a string always has a form in JSON
			return
		}
		b.Write(text)
	}
	switch {
	case v == nil || v.Kind == cfn.Null:
		b.WriteString("null")
	case v.Kind == cfn.String:
		quote(v.Text)
	case v.Kind == cfn.List:
		b.WriteByte('[')
		for i, item := range v.Items {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(b, item)
		}
		b.WriteByte(']')
	case v.Kind == cfn.Map:
		b.WriteByte('{')
		for i, e := range v.Keys {
			if i > 0 {
				b.WriteByte(',')
			}
			quote(e.Key)
			b.WriteByte(':')
			writeJSON(b, e.Value)
		}
		b.WriteByte('}')
	case json.Valid([]byte(v.Text)):
		b.WriteString(v.Text)
	default:
		quote(v.Text) // a number that only YAML writes so, such as 0x1F or .inf
	}
}

// addShortResponse makes an integration response: a template, or a map of template and parameters.
func (s *short) addShortResponse(route cfn.Entry, integration string, i int, e cfn.Entry) {
	at, what := e.Place, "route "+route.Key+": response "+e.Key
	if e.Key != apigw.RouteDefault {
		if pattern := strings.Trim(e.Key, "/"); len(e.Key) > 256 || pattern == "" {
			s.Faultf(at, "%s: a response's key is $default, a status code, or a regular expression between slashes", what)
			return
		}
	}
	props := cfn.MapOf(at, "ApiId", cfn.Ref(at, blueprint.APIID), "IntegrationId", cfn.Ref(at, integration), "IntegrationResponseKey", cfn.TextOf(at, e.Key))
	template := e.Value
	if e.Value.Is(cfn.Map) {
		s.CheckKeys(e.Value, what, cleatSettings["response"])
		template = e.Value.Get("template")
		if p := e.Value.Get("parameters"); p != nil {
			s.Entries(p, what+": parameters")
			props.Set(cfn.Entry{Key: "ResponseParameters", Place: p.Place, Value: p})
		}
	}
	if text := s.responseText(template); text != "" {
		props.Keys = append(props.Keys, templates(template.Place, text, "ResponseTemplates")...)
	}
	id := integration + "Response"
	if i > 0 {
		id += strconv.Itoa(i + 1)
	}
	s.deps = append(s.deps, id)
	s.api.Add(at, id, "AWS::ApiGatewayV2::IntegrationResponse", props)
}

// addShortFunction makes one entry of `functions`.
func (s *short) addShortFunction(e cfn.Entry) {
	what := "function " + e.Key
	v := e.Value
	if v.Is(cfn.String) {
		v = cfn.MapOf(v.Place, "handler", v)
	}
	if !v.Is(cfn.Map) {
		if !s.r.IsBroken(v) {
			s.Faultf(e.Place, "%s must be a handler, as in src/app.handler, or a map with `handler`, not %s", what, input.KindOf(v))
		}
		return
	}
	s.CheckKeys(v, what, cleatSettings["function"])
	at := e.Place
	name := s.p.Name + "-" + s.p.Stage + "-" + e.Key
	if text, ok := s.Text(v.Get("name"), what+": name"); ok {
		name = text
	}
	if !blueprint.IsFunctionName(name) && s.p.Name != "" {
		s.Faultf(at, "%s would be named %q: a name has 1 to 64 letters, digits, - and _; give it a `name`", what, name)
	}
	timeout, memory := blueprint.DefaultTimeout, blueprint.DefaultMemory
	if tv := v.Get("timeout"); tv != nil {
		d, ok := input.ParseDuration(tv.Str())
		if !ok || d < time.Second || d > 15*time.Minute || d%time.Second != 0 {
			s.Faultf(tv.Place, "%s: timeout must be from 1s to 15m in whole seconds, not %q", what, tv.Str())
		}
		timeout = int(d / time.Second)
	}
	if mv := v.Get("memory"); mv != nil {
		n, ok := input.ParseSize(mv.Str())
		if mv.Is(cfn.Number) {
			n <<= 20 // a bare number is in MB, as in MemorySize
		}
		if !ok || n < 128<<20 || n > 10240<<20 || n%(1<<20) != 0 {
			s.Faultf(mv.Place, "%s: memory must be from 128MB to 10240MB, not %q", what, mv.Str())
		}
		memory = int(n >> 20)
	}
	s.addShortFunctionResource(e, v, name, timeout, memory)
}

func (s *short) addShortFunctionResource(e cfn.Entry, v *cfn.Value, name string, timeout, memory int) {
	at, what := e.Place, "function "+e.Key
	dir := s.Dir
	if text, ok := s.Text(v.Get("code"), what+": code"); ok && !strings.ContainsRune(text, 0) {
		dir = s.Abs(text)
	}
	handler, ok := s.Text(v.Get("handler"), what+": handler")
	if !ok {
		if hv := v.Get("handler"); !s.r.IsBroken(hv) && !hv.Is(cfn.List) && !hv.Is(cfn.Map) {
			s.Faultf(at, "%s has no `handler`, as in `handler: src/app.handler`", what)
		}
		return
	}
	hat := v.Get("handler").Place
	runtime, ok := s.Text(v.Get("runtime"), what+": runtime")
	if !ok {
		runtime = handlers.GuessRuntime(dir, handler)
	} else if why := handlers.RuntimeFault(runtime); why != "" {
		s.Faultf(v.Get("runtime").Place, "%s", why)
	}
	where, why := handlers.Find(s.Reading, what, dir, handler, runtime)
	if why != "" {
		s.Faultf(hat, "%s", why)
	}
	vars := &cfn.Value{Kind: cfn.Map, Place: at}
	for _, ev := range s.Entries(v.Get("environment"), what+": environment") {
		if text, ok := s.Text(ev.Value, "environment variable "+ev.Key); ok && blueprint.CheckVariable(s.Reading, ev) {
			vars.Keys = append(vars.Keys, cfn.Entry{Key: ev.Key, Place: ev.Place, Value: cfn.TextOf(ev.Value.Place, text)})
		}
	}
	var environment, description *cfn.Value
	if _, ok := s.Text(v.Get("description"), what+": description"); ok {
		description = v.Get("description")
	}
	if len(vars.Keys) > 0 {
		environment = cfn.MapOf(at, "Variables", vars)
	}
	props := cfn.MapOf(at,
		"FunctionName", cfn.TextOf(at, name),
		"Code", cfn.MapOf(at, "LocalPath", cfn.TextOf(at, where.Dir)),
		"Handler", cfn.TextOf(hat, where.Handler),
		"Runtime", cfn.TextOf(at, runtime),
		"MemorySize", cfn.NumberOf(at, memory),
		"Timeout", cfn.NumberOf(at, timeout),
		"Description", description,
		"Environment", environment)
	if n, ok := s.Number(v.Get("concurrency"), what+": concurrency", 0, 100_000); ok {
		cat := v.Get("concurrency").Place
		props.Set(cfn.Entry{Key: "ReservedConcurrentExecutions", Place: cat, Value: cfn.NumberOf(cat, n)})
	}
	s.t.Add(at, blueprint.FunctionID(e.Key), "AWS::Lambda::Function", props, "Metadata", blueprint.FunctionMetadata(at, where.TypeScript, nil))
}

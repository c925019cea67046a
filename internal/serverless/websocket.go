package serverless

import (
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/blueprint"
	"cleat/internal/cfn"
	"cleat/internal/input"
)

// event is one websocket event of a function: a route.
type event struct {
	place      cfn.Place
	route      string
	twoWay     bool
	authorizer *authorizer
}

// authorizer decides at $connect.
type authorizer struct {
	place    cfn.Place
	name     string
	arn      *cfn.Value // of a function elsewhere; nil: the function of that name here
	identity *cfn.Value
}

var (
	websocketKeys  = []string{"route", "authorizer", "routeResponseSelectionExpression", "routeKey"}
	authorizerKeys = []string{"name", "arn", "identitySource"}
	// quietAuthorizerKeys have a meaning for other kinds of APIs, or none that makes a difference here.
	quietAuthorizerKeys = []string{
		"type", "resultTtlInSeconds", "identityValidationExpression", "managedExternally", "payloadVersion",
		"enableSimpleResponses", "functionName", "functionArn", "authorizerId", "scopes", "claims",
	}
	otherEvents = []string{
		"http", "httpApi", "schedule", "sqs", "sns", "stream", "s3", "cloudwatchEvent", "cloudwatchLog", "eventBridge",
		"cognitoUserPool", "alb", "alexaSkill", "alexaSmartHome", "iot", "iotFleetProvisioning", "kafka", "msk", "activemq",
		"rabbitmq", "cloudFront", "existingS3", "appSync",
	}
)

func (s *service) hasRoutes() bool {
	return slices.ContainsFunc(s.functions, func(f *function) bool { return len(f.routes) > 0 })
}

// authorizes reports whether a function is an authorizer of this API.
func (s *service) authorizes(key string) bool {
	return slices.ContainsFunc(s.functions, func(f *function) bool {
		return slices.ContainsFunc(f.routes, func(e *event) bool {
			return e.authorizer != nil && e.authorizer.arn == nil && e.authorizer.name == key
		})
	})
}

// readEvents reads a function's events. Those of other kinds than websocket are named and left alone.
func (s *service) readEvents(f *function) {
	list := s.r.Get(f.raw, "events")
	if list == nil || list.Kind == cfn.Null {
		return
	}
	if !list.Is(cfn.List) {
		s.Faultf(list.Place, "function %s: events must be a list, as in `- websocket: $connect`, not %s", f.key, list.Kind)
		return
	}
	for _, raw := range list.Items {
		v := s.r.Reported(s.r.Value(raw))
		switch {
		case s.r.IsBroken(v):
		case v.Is(cfn.String) && v.Text == "websocket":
			s.Faultf(v.Place, "function %s: a websocket event needs a route, as in `- websocket: $connect`", f.key)
		case v.Is(cfn.String):
			s.otherEvent(f, v.Place, v.Text)
		case v.Is(cfn.Map) && len(v.Keys) > 0:
			s.readEvent(f, v)
		case v.Kind != cfn.Null:
			s.Faultf(v.Place, "function %s: an event must be a map, as in `- websocket: $connect`, not %s", f.key, v.Kind)
		}
	}
}

func (s *service) readEvent(f *function, v *cfn.Value) {
	ws := v.Get("websocket")
	if ws == nil {
		s.otherEvent(f, v.Keys[0].Place, v.Keys[0].Key)
		return
	}
	for _, e := range v.Keys {
		if e.Key != "websocket" {
			s.Faultf(e.Place, "function %s: %s stands beside `websocket`, not in it: indent it further", f.key, e.Key)
			return
		}
	}
	if e := s.readWebsocket(f, s.r.Deep(ws), v.Keys[0].Place); e != nil {
		s.addRoute(f, e)
	}
}

func (s *service) otherEvent(f *function, at cfn.Place, kind string) {
	if !slices.Contains(otherEvents, kind) && input.Nearest(kind, append([]string{"websocket"}, otherEvents...)) == "websocket" {
		s.Faultf(at, "function %s: there is no event %q; did you mean websocket?", f.key, kind)
		return
	}
	s.leaveAlone("event " + kind)
}

// readWebsocket reads one websocket event in any of its forms. It is nil when a fault has been noted.
func (s *service) readWebsocket(f *function, v *cfn.Value, at cfn.Place) *event {
	if s.r.IsBroken(v) {
		return nil
	}
	if route, ok := v.Scalar(); ok {
		return &event{place: v.Place, route: route}
	}
	if !v.Is(cfn.Map) {
		s.Faultf(at, "function %s: a websocket event is a route key, as in `- websocket: $connect`, or a map with `route`, not %s", f.key, input.KindOf(v))
		return nil
	}
	what := "function " + f.key + ": a websocket event"
	s.CheckKeys(v, what, websocketKeys)
	e := &event{place: v.Place}
	key := v.Get("route")
	if key == nil {
		key = v.Get("routeKey") // of the plugin that came before the framework had this event
	}
	route, ok := s.Text(key, "a route")
	if !ok {
		if !s.r.IsBroken(key) && !key.Is(cfn.Map) && !key.Is(cfn.List) && input.Misspelt(v, "route") == "" {
			s.Faultf(at, "%s has no `route`, as in `route: $connect`", what)
		}
		return nil
	}
	e.route, e.place = route, key.Place
	if rv := v.Get("routeResponseSelectionExpression"); rv != nil && rv.Kind != cfn.Null {
		if rv.Str() != apigw.RouteDefault {
			s.Faultf(rv.Place, "%s: routeResponseSelectionExpression can only be $default, not %q", what, rv.Str())
		}
		e.twoWay = true
	}
	if av := v.Get("authorizer"); av != nil && av.Kind != cfn.Null {
		e.authorizer = s.readAuthorizer(f, av)
		if route != apigw.RouteConnect {
			s.Faultf(av.Place, "%s: an authorizer works on $connect only, not on route %q", what, route)
			e.authorizer = nil
		}
	}
	return e
}

func (s *service) readAuthorizer(f *function, v *cfn.Value) *authorizer {
	a := &authorizer{place: v.Place, identity: cfn.Texts(v.Place, blueprint.DefaultIdentitySource)}
	what := "function " + f.key + ": authorizer"
	if text, ok := v.Scalar(); ok {
		if strings.Contains(text, ":") {
			a.arn, a.name = v, text[strings.LastIndexByte(text, ':')+1:]
			return a
		}
		a.name = text
		return s.localAuthorizer(a, v.Place)
	}
	if !v.Is(cfn.Map) {
		s.Faultf(v.Place, "%s must be a function's name, an ARN, or a map of them, not %s", what, v.Kind)
		return nil
	}
	if cfn.IsIntrinsic(v) {
		a.arn, a.name = v, f.key+"Authorizer"
		return a
	}
	s.checkAuthorizerKeys(v, what)
	if id := v.Get("identitySource"); id.Is(cfn.List) {
		a.identity = id
	} else if text, ok := id.Scalar(); ok {
		a.identity = cfn.Texts(id.Place, text)
	}
	blueprint.CheckIdentity(s.Reading, what, a.identity)
	name, _ := s.Text(v.Get("name"), what+": name")
	switch arn := v.Get("arn"); {
	case arn.Is(cfn.String):
		a.arn, a.name = arn, arn.Text[strings.LastIndexByte(arn.Text, ':')+1:]
	case arn != nil && name == "":
		s.Faultf(arn.Place, "%s: an `arn` that is not text needs a `name` beside it", what)
		return nil
	case arn != nil:
		a.arn, a.name = arn, name
	case name == "":
		s.Faultf(v.Place, "%s needs `name` (of a function here) or `arn`%s", what, input.Misspelt(v, "name"))
		return nil
	default:
		a.name = name
		return s.localAuthorizer(a, v.Get("name").Place)
	}
	return a
}

// checkAuthorizerKeys warns of settings that no authorizer of a WebSocket API has: projects carry them over from HTTP APIs,
// and the framework passes over them.
func (s *service) checkAuthorizerKeys(v *cfn.Value, what string) {
	for _, e := range v.Keys {
		if !slices.Contains(authorizerKeys, e.Key) && !slices.Contains(quietAuthorizerKeys, e.Key) {
			s.Warnf(e.Place, "%s has no setting %q, so it has no effect%s", what, e.Key, input.Suggest(e.Key, authorizerKeys))
		}
	}
}

func (s *service) localAuthorizer(a *authorizer, at cfn.Place) *authorizer {
	var names []string
	for _, f := range s.functions {
		if f.key == a.name {
			return a
		}
		names = append(names, f.key)
	}
	s.Faultf(at, "the authorizer %q is no function of this project%s", a.name, input.Suggest(a.name, names))
	return nil
}

// addRoute takes a route in, unless its key is illegal or taken.
func (s *service) addRoute(f *function, e *event) {
	if why := blueprint.RouteFault(e.route); why != "" {
		s.Faultf(e.place, "function %s: %s", f.key, why)
		return
	}
	for _, g := range s.functions {
		for _, other := range g.routes {
			if other.route == e.route {
				s.Faultf(e.place, "route %s of function %s belongs to function %s already (%s): a route has one function", e.route, f.key, g.key, other.place)
				return
			}
			if blueprint.RouteID(other.route) == blueprint.RouteID(e.route) {
				s.Faultf(e.place, "routes %q and %q (%s) would both be the resource %s: rename one", e.route, other.route, other.place, blueprint.RouteID(e.route))
				return
			}
		}
	}
	f.routes = append(f.routes, e)
}

// addAPI makes the API with its routes, stage and deployment (spec control-plane §16).
func (s *service) addAPI() {
	provider := s.r.Get(s.root, "provider")
	if !s.hasRoutes() {
		s.Warnf(cfn.Place{File: s.file}, "no function has a websocket event: there is nothing to connect to")
		return
	}
	if v := s.r.At(provider, "apiGateway", "websocketApiId"); v != nil {
		s.Warnf(v.At(), "provider.apiGateway.websocketApiId names an API made elsewhere: here the project gets an API of its own")
	}
	at := provider.At()
	text := func(key, fallback string) *cfn.Value {
		v := s.r.Get(provider, key)
		if v == nil { // as the plugin spelt it that came before the framework knew WebSockets
			v = s.r.Get(provider, strings.Replace(key, "websocketsApi", "websocketApi", 1))
		}
		if t, ok := s.Text(v, "provider."+key); ok && t != "" {
			return cfn.TextOf(v.Place, t)
		}
		return cfn.TextOf(at, fallback)
	}
	description := text("websocketsDescription", "Serverless Websockets")
	selection := text("websocketsApiRouteSelectionExpression", "$request.body.action")
	if blueprint.LacksDollar(selection.Text) {
		s.Faultf(selection.Place, "websocketsApiRouteSelectionExpression %q must be an expression, such as $request.body.action", selection.Text)
	}
	api := &cfn.Value{Kind: cfn.Map}
	own := &blueprint.Blueprint{Resources: api}
	own.Add(at, blueprint.APIID, "AWS::ApiGatewayV2::Api", cfn.MapOf(at,
		"Name", text("websocketsApiName", s.p.Stage+"-"+s.p.Name+"-websockets"),
		"RouteSelectionExpression", selection,
		"Description", description,
		"ProtocolType", cfn.TextOf(at, "WEBSOCKET")))
	var routes []string
	for _, f := range s.functions {
		if len(f.routes) > 0 {
			s.addIntegration(own, f)
		}
		for _, e := range f.routes {
			routes = append(routes, s.addRouteResources(own, f, e)...)
		}
	}
	s.addStage(own, provider, description, routes)
	for _, e := range api.Keys {
		s.t.Resources.Set(e)
		s.generated[e.Key] = true
	}
	s.t.Output(at, "ServiceEndpointWebsocket", "URL of the service endpoint", cfn.Join(at, "",
		cfn.TextOf(at, "wss://"), cfn.Ref(at, blueprint.APIID), cfn.TextOf(at, ".execute-api."), cfn.Ref(at, "AWS::Region"), cfn.TextOf(at, "."),
		cfn.Ref(at, "AWS::URLSuffix"), cfn.TextOf(at, "/"+s.p.Stage)))
}

func (s *service) addIntegration(t *blueprint.Blueprint, f *function) {
	at := f.routes[0].place
	arn := cfn.GetAtt(at, blueprint.FunctionID(f.key), "Arn")
	t.Add(at, blueprint.IntegrationID(f.key), "AWS::ApiGatewayV2::Integration", cfn.MapOf(at,
		"ApiId", cfn.Ref(at, blueprint.APIID),
		"IntegrationType", cfn.TextOf(at, string(apigw.IntegrationAWSProxy)),
		"IntegrationUri", blueprint.LambdaURI(at, arn)))
	t.Permit(at, blueprint.PermissionID(f.key), arn)
}

// addRouteResources makes a route and what belongs to it; it returns what the deployment depends on.
func (s *service) addRouteResources(t *blueprint.Blueprint, f *function, e *event) []string {
	at := e.place
	id, ids := blueprint.RouteID(e.route), []string{blueprint.RouteID(e.route)}
	props := cfn.MapOf(at,
		"ApiId", cfn.Ref(at, blueprint.APIID),
		"RouteKey", cfn.TextOf(at, e.route),
		"AuthorizationType", cfn.TextOf(at, apigw.AuthorizationNone),
		"Target", cfn.Join(at, "/", cfn.TextOf(at, "integrations"), cfn.Ref(at, blueprint.IntegrationID(f.key))))
	if a := e.authorizer; a != nil {
		props.Set(cfn.Entry{Key: "AuthorizationType", Place: a.place, Value: cfn.TextOf(a.place, apigw.AuthorizationCustom)})
		props.Set(cfn.Entry{Key: "AuthorizerId", Place: a.place, Value: cfn.Ref(a.place, blueprint.AuthorizerID(a.name))})
		arn := a.arn
		if arn == nil {
			arn = cfn.GetAtt(a.place, blueprint.FunctionID(a.name), "Arn")
			t.Permit(a.place, blueprint.PermissionID(a.name), arn)
		}
		t.Add(a.place, blueprint.AuthorizerID(a.name), "AWS::ApiGatewayV2::Authorizer", cfn.MapOf(a.place,
			"ApiId", cfn.Ref(a.place, blueprint.APIID),
			"Name", cfn.TextOf(a.place, a.name),
			"AuthorizerType", cfn.TextOf(a.place, "REQUEST"),
			"AuthorizerUri", blueprint.LambdaURI(a.place, subPseudo(arn)),
			"IdentitySource", a.identity))
	}
	if e.twoWay {
		props.Set(cfn.Entry{Key: "RouteResponseSelectionExpression", Place: at, Value: cfn.TextOf(at, apigw.RouteDefault)})
	}
	t.Add(at, id, "AWS::ApiGatewayV2::Route", props)
	if e.twoWay {
		ids = append(ids, blueprint.RouteResponseID(e.route))
		t.Add(at, blueprint.RouteResponseID(e.route), "AWS::ApiGatewayV2::RouteResponse", cfn.MapOf(at,
			"ApiId", cfn.Ref(at, blueprint.APIID), "RouteId", cfn.Ref(at, id), "RouteResponseKey", cfn.TextOf(at, apigw.RouteDefault)))
	}
	return ids
}

const accessLogFormat = `$context.identity.sourceIp $context.identity.caller $context.identity.user [$context.requestTime] ` +
	`"$context.eventType $context.routeKey $context.connectionId" $context.requestId`

// unnamedDeployment is the deployment's ID until everything that it freezes is known.
const unnamedDeployment = "WebsocketsDeployment"

func (s *service) addStage(t *blueprint.Blueprint, provider, description *cfn.Value, routes []string) {
	at := provider.At()
	props := cfn.MapOf(at,
		"ApiId", cfn.Ref(at, blueprint.APIID),
		"StageName", cfn.TextOf(at, s.p.Stage),
		"Description", description,
		"DeploymentId", cfn.Ref(at, unnamedDeployment))
	if logs := s.r.Deep(s.r.Get(provider, "logs", "websocket")); logs.Is(cfn.Map) || logs.Is(cfn.Bool) && logs.Text == "true" {
		s.addStageLogs(t, props, logs)
	}
	t.Add(at, blueprint.StageID, "AWS::ApiGatewayV2::Stage", props)
	t.Add(at, unnamedDeployment, "AWS::ApiGatewayV2::Deployment", cfn.MapOf(at, "ApiId", cfn.Ref(at, blueprint.APIID), "Description", description),
		"DependsOn", cfn.Texts(at, routes...))
}

func (s *service) addStageLogs(t *blueprint.Blueprint, stage, logs *cfn.Value) {
	at := logs.Place
	s.CheckKeys(logs, "provider.logs.websocket", []string{
		"level", "format", "accessLogging", "executionLogging", "fullExecutionData", "role", "roleManagedExternally",
	})
	on := func(key string) bool { return logs.Get(key).Str() != "false" }
	level := "INFO"
	if v := logs.Get("level"); v != nil {
		if level = v.Str(); level != "INFO" && level != "ERROR" {
			s.Faultf(v.Place, "provider.logs.websocket.level is %q: it must be INFO or ERROR", level)
		}
	}
	if !on("executionLogging") {
		level = "OFF"
	}
	stage.Set(cfn.Entry{Key: "DefaultRouteSettings", Place: at, Value: cfn.MapOf(at,
		"DataTraceEnabled", cfn.BoolOf(at, on("fullExecutionData")), "LoggingLevel", cfn.TextOf(at, level))})
	if !on("accessLogging") {
		return
	}
	format := accessLogFormat
	if v, ok := logs.Get("format").Scalar(); ok {
		format = v
	}
	t.Add(at, blueprint.LogGroupID, "AWS::Logs::LogGroup", cfn.MapOf(at, "LogGroupName", cfn.TextOf(at, "/aws/websocket/"+s.p.Name+"-"+s.p.Stage)))
	stage.Set(cfn.Entry{Key: "AccessLogSettings", Place: at, Value: cfn.MapOf(at,
		"DestinationArn", cfn.Sub(at, "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${"+blueprint.LogGroupID+"}", nil),
		"Format", cfn.TextOf(at, format))})
}

// nameDeployment gives the deployment an ID that changes with what it freezes, so that a change is deployed anew. What the
// project itself adds to the API (routes, integrations, models, under resources) is part of that and is waited for.
func (s *service) nameDeployment() {
	deployment := s.t.Resources.Get(unnamedDeployment)
	if deployment == nil {
		return
	}
	frozen := &cfn.Value{Kind: cfn.Map}
	after := &cfn.Value{Kind: cfn.List, Place: deployment.Place}
	after.Items = append(after.Items, deployment.Get("DependsOn").Items...)
	known := func(id string) bool {
		return slices.ContainsFunc(after.Items, func(v *cfn.Value) bool { return v.Str() == id })
	}
	for _, e := range s.t.Resources.Keys {
		kind, ok := strings.CutPrefix(e.Value.Get("Type").Str(), "AWS::ApiGatewayV2::")
		if !ok || slices.Contains([]string{"Stage", "Deployment", "DomainName", "ApiMapping"}, kind) {
			continue
		}
		frozen.Keys = append(frozen.Keys, e)
		if kind != "Api" && e.Value.Get("DependsOn") == nil && e.Value.Path("Properties", "ApiId", "Ref").Str() == blueprint.APIID && !s.generated[e.Key] && !known(e.Key) {
			after.Items = append(after.Items, cfn.TextOf(e.Place, e.Key))
		}
	}
	id := blueprint.DeploymentID(frozen)
	out := &cfn.Value{Kind: cfn.Map, Place: s.t.Resources.Place}
	for _, e := range s.t.Resources.Keys {
		switch {
		case e.Key == unnamedDeployment:
			e.Key, e.Value = id, e.Value.With(cfn.Entry{Key: "DependsOn", Place: after.Place, Value: after})
		case e.Key == blueprint.StageID && e.Value.Path("Properties", "DeploymentId", "Ref").Str() == unnamedDeployment:
			at := e.Value.Path("Properties", "DeploymentId").Place
			over := cfn.MapOf(at, "Properties", cfn.MapOf(at, "DeploymentId", cfn.MapOf(at, "Ref", cfn.TextOf(at, id))))
			e.Value = cfn.Merge(e.Value, over)
		}
		out.Keys = append(out.Keys, e)
	}
	s.t.Resources = out
}

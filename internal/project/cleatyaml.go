package project

import (
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"cleat/internal/awsapi"
	"cleat/internal/cfn"
)

// The settings of cleat.yaml, by the object they belong to. docs/cleat.schema.json says the same in JSON Schema; a test
// holds the two together.
var cleatSettings = map[string][]string{
	"": {
		"name", "description", "project", "stage", "region", "envFile", "environment", "routeSelectionExpression",
		"apiKeySelectionExpression", "routes", "authorizers", "models", "functions", "remoteFunctions", "stageVariables", "throttle",
		"domains", "limits", "connectionHeaders", "logs", "users", "managementAuth", "apiKeys", "usagePlans", "prices",
		"awsEndpoints", "awsCredentials", "vpcLinks",
	},
	"route": {
		"http", "function", "mock", "integration", "twoWay", "authorizer", "apiKeyRequired", "method", "timeout", "headers",
		"query", "path", "template", "responses", "models", "modelSelection", "route", "throttle",
	},
	"mock":     {"statusCode", "response"},
	"response": {"template", "parameters"},
	"authorizer": {
		"function", "identitySource",
	},
	"function": {
		"handler", "runtime", "code", "name", "description", "environment", "timeout", "memory", "concurrency",
	},
	"remoteFunction": {"endpoint", "region", "accessKeyId", "secretAccessKey", "sessionToken"},
	"user":           {"account", "accessKeys", "policies"},
	"accessKey":      {"id", "secret", "sessionToken", "enabled", "expires"},
	"awsCredentials": {"accessKeyId", "secretAccessKey", "sessionToken"},
	"vpcLink":        {"targets", "healthCheck"},
	"healthCheck":    {"path", "interval", "timeout", "healthy", "unhealthy"},
	"throttle":       {"rate", "burst"},
	"apiKey":         {"value", "enabled", "description", "customerId"},
	"usagePlan":      {"keys", "description", "throttle", "quota", "routes"},
	"quota":          {"limit", "period", "offset"},
	"prices":         {"file", "freeTier", "roundMinutes"},
	"limits":         limitKeys(),
	"logs":           {"access", "execution"},
	"accessLog":      {"to", "format", "maxSize", "keep"},
	"executionLog":   {"to", "level", "dataTrace", "maxSize", "keep"},
}

// short is a cleat.yaml being read.
type short struct {
	*loader
	r    *resolver
	root *cfn.Value // resolved
	p    *Project
	t    *template
	api  *template // what belongs to the API: its hash names the deployment
	// routes are those taken in so far, by resource ID, with their places.
	routes map[string]cfn.Place
	deps   []string
	// routeSettings are the stage's settings of single routes.
	routeSettings *cfn.Value
	// locals are the functions that run here, by the name the file gives them.
	locals map[string]bool
}

// loadCleat reads cleat.yaml, alone or on top of the project that it lies beside.
func (l *loader) loadCleat(file string) *Project {
	p := l.newProject(file)
	raw := l.parse(file)
	if raw == nil {
		if l.unread[l.abs(file)] {
			return nil
		}
		raw = &cfn.Value{Kind: cfn.Map, Place: cfn.Place{File: file, Line: 1}}
	}
	if !raw.Is(cfn.Map) {
		l.faultf(raw.Place, "cleat.yaml is a map of settings, not %s", raw.Kind)
		return nil
	}
	s := &short{loader: l, p: p, t: newTemplate(), api: newTemplate(), routes: map[string]cfn.Place{}, locals: map[string]bool{}, routeSettings: &cfn.Value{Kind: cfn.Map}}
	s.resolve(raw)
	s.checkKeys(s.root, file, cleatSettings[""])
	s.readNode()
	base := s.base()
	if base != "" {
		return s.overlay(base)
	}
	for _, other := range serverlessNames {
		if l.exists(other) {
			l.warnf(cfn.Place{File: other}, "%s is not read: %s has routes or functions of its own", other, file)
		}
	}
	s.readProject()
	p.Template = s.t.value()
	return p
}

// resolve settles environment and stage and then resolves the whole file.
func (s *short) resolve(raw *cfn.Value) {
	env, functions := s.environment()
	s.p.Environment = functions
	load := func(name string) {
		vars := s.loadEnv(name, env, true)
		fill(env, vars)
		for k := range vars {
			functions[k] = env[k] // where the process environment has the name too, it wins
		}
	}
	s.r = newResolver(s.loader, raw, env)
	files := s.r.deep(raw.Get("envFile"))
	if files.Is(cfn.String) {
		files = cfn.ListOf(files.Place, files)
	}
	if files.Is(cfn.List) {
		for _, f := range files.Items {
			if name, ok := s.text(f, "envFile"); ok {
				load(name)
			}
		}
	} else if files != nil && files.Kind != cfn.Null {
		s.faultf(files.Place, "envFile must be a file's name or a list of them, not %s", files.Kind)
	}
	s.r = newResolver(s.loader, raw, env)
	if s.p.Stage == "" {
		s.p.Stage, _ = s.text(s.r.get(raw, "stage"), "stage")
	}
	if s.p.Region == "" {
		s.p.Region, _ = s.text(s.r.get(raw, "region"), "region")
	}
	s.p.setDefaults()
	s.r = newResolver(s.loader, raw, env)
	s.r.stage = s.p.Stage
	s.r.given["stage"], s.r.given["provider.stage"] = s.p.Stage, s.p.Stage
	s.r.given["region"], s.r.given["provider.region"] = s.p.Region, s.p.Region
	s.root = s.r.deep(raw)
	if !stageName.MatchString(s.p.Stage) {
		s.faultf(raw.Get("stage").At(), "%q is not a stage's name: 1 to 128 letters, digits, - and _", s.p.Stage)
	}
	s.checkRegion(s.p.Region, raw.Get("region").At())
}

// readNode reads what is not part of the API's definition.
func (s *short) readNode() {
	s.p.Limits = s.readLimits(s.root.Get("limits"))
	if v := s.root.Get("connectionHeaders"); v != nil {
		on, ok := parseSwitch(v.Str())
		if !ok {
			s.faultf(v.Place, "connectionHeaders must be on or off")
		}
		s.p.ConnectionHeaders = on
	}
	for _, e := range s.mapEntries(s.root.Get("environment"), "environment") {
		if text, ok := s.text(e.Value, "environment variable "+e.Key); ok && s.goodVariable(e) {
			s.p.Environment[e.Key] = text
		}
	}
	for _, e := range s.mapEntries(s.root.Get("remoteFunctions"), "remoteFunctions") {
		s.readRemote(e)
	}
	s.p.Remote = s.remotes
	s.readUsers()
	s.readLogs()
	s.readPrices()
	s.readAWS()
	s.readVPCLinks()
}

func (l *loader) goodVariable(e cfn.Entry) bool {
	l.warnReserved(e)
	if variableName.MatchString(e.Key) {
		return true
	}
	l.faultf(e.Place, "%q is not the name of an environment variable: letters, digits and _, not beginning with a digit", e.Key)
	return false
}

// mapEntries are the entries of a map; anything else but nothing is a fault.
func (l *loader) mapEntries(v *cfn.Value, what string) []cfn.Entry {
	if v == nil || v.Kind == cfn.Null {
		return nil
	}
	if !v.Is(cfn.Map) {
		l.faultf(v.Place, "%s must be a map, not %s", what, v.Kind)
	}
	return v.Keys
}

func (s *short) readRemote(e cfn.Entry) {
	what := "remote function " + e.Key
	remote := RemoteFunction{Pattern: e.Key, Region: s.p.Region, Place: e.Place}
	v := e.Value
	if v.Is(cfn.Map) {
		s.checkKeys(v, what, cleatSettings["remoteFunction"])
		if text, ok := s.text(v.Get("region"), what+": region"); ok {
			remote.Region = text
		}
		s.readKeys(v, what, &remote.AccessKeyID, &remote.SecretAccessKey, &remote.SessionToken)
		v = v.Get("endpoint")
	}
	text, ok := s.text(v, what+": endpoint")
	if !ok {
		if !s.r.isBroken(v) && !v.Is(cfn.List) && !v.Is(cfn.Map) {
			s.faultf(e.Place, "%s has no `endpoint`: the base URL of a Lambda Invoke API, or aws", what)
		}
		return
	}
	remote.Endpoint = text
	if text == "aws" {
		remote.Endpoint = "https://lambda." + remote.Region + ".amazonaws.com"
	} else if !isHTTPURL(text) {
		s.faultf(v.Place, "%s: endpoint %q is not an http:// or https:// URL, nor aws", what, text)
	}
	if remote.Region != s.p.Region && !regionName.MatchString(remote.Region) {
		s.faultf(e.Place, "%s: %q is not a region, such as eu-west-1", what, remote.Region)
	}
	s.remotes = append(s.remotes, remote)
}

func isHTTPURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// base is the project file that this one goes on top of, "" when it stands alone.
func (s *short) base() string {
	if v := s.root.Get("project"); v != nil {
		name, ok := s.text(v, "project")
		if ok && (slices.Contains(cleatNames, filepath.Base(name)) || !s.exists(name)) {
			s.faultf(v.Place, "project: there is no serverless.yml at %q", name)
		}
		for _, key := range []string{"routes", "functions", "authorizers", "models"} {
			if over := s.root.Get(key); over != nil {
				s.faultf(over.Place, "%s cannot stand beside `project`: %s defines them", key, name)
			}
		}
		return name
	}
	if s.root.Get("routes") != nil || s.root.Get("functions") != nil {
		return ""
	}
	for _, name := range slices.Concat(serverlessNames, programNames, templateNames) {
		if s.exists(name) {
			return name
		}
	}
	return ""
}

// overlay reads the other project file and puts this one's settings on top.
func (s *short) overlay(base string) *Project {
	if s.opts.Stage == "" && s.root.Get("stage") != nil {
		s.opts.Stage = s.p.Stage
	}
	if s.opts.Region == "" && s.root.Get("region") != nil {
		s.opts.Region = s.p.Region
	}
	for _, key := range []string{"name", "routeSelectionExpression", "apiKeySelectionExpression", "description", "authorizers", "models", "apiKeys", "usagePlans"} {
		if v := s.root.Get(key); v != nil {
			s.warnf(v.Place, "%s has no effect here: %s defines it", key, base)
		}
	}
	if !s.exists(base) {
		return nil
	}
	p := s.loadFile(base)
	if p == nil {
		return nil
	}
	p.Limits, p.ConnectionHeaders, p.Remote = s.p.Limits, s.p.ConnectionHeaders, s.p.Remote
	p.Logs, p.Users, p.Prices = s.p.Logs, s.p.Users, s.p.Prices
	p.AWS, p.VPCLinks = s.p.AWS, s.p.VPCLinks
	fill(p.Environment, s.p.Environment)
	resources := p.Template.Get("Resources")
	if extra := s.stageProperties(); len(extra.Keys) > 0 && resources.Get(stageID) != nil {
		over := cfn.MapOf(s.root.Place, "Resources", cfn.MapOf(s.root.Place, stageID, cfn.MapOf(s.root.Place, "Properties", extra)))
		p.Template = merged(p.Template, over)
	}
	s.overlayDomains(p)
	return p
}

var variableValue = regexp.MustCompile(`^[A-Za-z0-9\-._~:/?#&=,]+$`)

// stageProperties are what this file says about its stage beyond the name.
func (s *short) stageProperties() *cfn.Value {
	props := &cfn.Value{Kind: cfn.Map, Place: s.root.Place}
	vars := &cfn.Value{Kind: cfn.Map, Place: s.root.Get("stageVariables").At()}
	for _, e := range s.mapEntries(s.root.Get("stageVariables"), "stageVariables") {
		text, ok := s.text(e.Value, "stage variable "+e.Key)
		switch {
		case !ok:
		case !stageVariable.MatchString(e.Key):
			s.faultf(e.Place, "%q is not the name of a stage variable: 1 to 64 letters, digits and _", e.Key)
		case !variableValue.MatchString(text) || len(text) > 2048:
			s.faultf(e.Value.Place, "stage variable %s: a value has 1 to 2048 of the characters A-Z a-z 0-9 - . _ ~ : / ? # & = ,", e.Key)
		default:
			vars.Keys = append(vars.Keys, cfn.Entry{Key: e.Key, Place: e.Place, Value: cfn.TextOf(e.Value.Place, text)})
		}
	}
	if len(vars.Keys) > 0 {
		set(props, cfn.Entry{Key: "StageVariables", Place: vars.Place, Value: vars})
	}
	if v := s.root.Get("throttle"); v != nil {
		set(props, cfn.Entry{Key: "DefaultRouteSettings", Place: v.Place, Value: s.throttleSettings(v, "throttle", "Throttling")})
	}
	if len(s.routeSettings.Keys) > 0 {
		set(props, cfn.Entry{Key: "RouteSettings", Place: s.root.Place, Value: s.routeSettings})
	}
	return props
}

var stageVariable = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)

// readProject reads a cleat.yaml that stands alone.
func (s *short) readProject() {
	s.readShortName()
	functions := s.mapEntries(s.root.Get("functions"), "functions")
	for _, e := range functions {
		s.locals[e.Key] = true
	}
	for _, e := range functions {
		s.addShortFunction(e)
	}
	at := s.root.Place
	selection := cfn.TextOf(at, "$request.body.action")
	if text, ok := s.text(s.root.Get("routeSelectionExpression"), "routeSelectionExpression"); ok {
		selection = cfn.TextOf(s.root.Get("routeSelectionExpression").Place, text)
		if lacksDollar(text) {
			s.faultf(selection.Place, "routeSelectionExpression %q must be an expression, such as $request.body.action", text)
		}
	}
	optional := func(key string) *cfn.Value {
		if _, ok := s.text(s.root.Get(key), key); !ok {
			return nil
		}
		return s.root.Get(key)
	}
	s.api.add(at, apiID, "AWS::ApiGatewayV2::Api", cfn.MapOf(at,
		"Name", cfn.TextOf(at, s.p.Name),
		"Description", optional("description"),
		"ProtocolType", cfn.TextOf(at, "WEBSOCKET"),
		"RouteSelectionExpression", selection,
		"ApiKeySelectionExpression", optional("apiKeySelectionExpression")))
	for _, e := range s.mapEntries(s.root.Get("authorizers"), "authorizers") {
		s.addShortAuthorizer(e)
	}
	for _, e := range s.mapEntries(s.root.Get("models"), "models") {
		s.addShortModel(e)
	}
	routes := s.mapEntries(s.root.Get("routes"), "routes")
	for _, e := range routes {
		s.addShortRoute(e)
	}
	if len(routes) == 0 {
		s.warnf(at, "the project has no routes: there is nothing to connect to")
		return
	}
	deployment := deploymentID(s.api.resources)
	props := cfn.MapOf(at, "ApiId", ref(at, apiID), "StageName", cfn.TextOf(at, s.p.Stage), "DeploymentId", ref(at, deployment))
	props.Keys = append(props.Keys, s.stageProperties().Keys...)
	s.api.add(at, stageID, "AWS::ApiGatewayV2::Stage", props)
	s.api.add(at, deployment, "AWS::ApiGatewayV2::Deployment", cfn.MapOf(at, "ApiId", ref(at, apiID)), "DependsOn", texts(at, s.deps...))
	s.t.resources.Keys = append(s.t.resources.Keys, s.api.resources.Keys...)
	s.readAPIKeys()
	s.t.resources.Keys = append(s.t.resources.Keys, s.domainResources(ref(at, apiID), ref(at, stageID))...)
}

func (s *short) readShortName() {
	v := s.root.Get("name")
	name, ok := s.text(v, "name")
	switch {
	case ok && !serviceName.MatchString(name):
		s.faultf(v.Place, "%q is not a project's name: letters, digits and -, beginning with a letter", name)
	case !ok && !s.r.isBroken(v) && !v.Is(cfn.List) && !v.Is(cfn.Map):
		s.faultf(s.root.Place, "`name` is missing: the project's name, as in `name: chat`")
	}
	s.p.Name = name
}

// functionARN is what a reference to a function means: one that runs here, an ARN, or one that runs elsewhere.
func (s *short) functionARN(v *cfn.Value, what string) *cfn.Value {
	name, ok := s.text(v, what)
	switch {
	case !ok:
		return nil
	case s.locals[name]:
		return getAtt(v.Place, functionID(name), "Arn")
	case strings.HasPrefix(name, "arn:"):
		return v
	case s.remote(name):
		return cfn.TextOf(v.Place, awsapi.FunctionARN(s.p.Region, awsapi.DefaultAccount, name))
	}
	var known []string
	for _, e := range s.mapEntries(s.root.Get("functions"), "functions") {
		known = append(known, e.Key)
	}
	s.faultf(v.Place, "%s: there is no function %q under functions, and no pattern of remoteFunctions fits it%s", what, name, didYouMeanOnly(name, known))
	return nil
}

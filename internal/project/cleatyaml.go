package project

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"cleat/internal/awsapi"
	"cleat/internal/blueprint"
	"cleat/internal/cfn"
	"cleat/internal/config"
	"cleat/internal/input"
	"cleat/internal/variable"
)

// cleatSettings are the settings of cleat.yaml that this package reads, by the object they belong to; package config reads
// the others. docs/cleat.schema.json says the same in JSON Schema; a test holds the two together.
var cleatSettings = map[string][]string{
	"": {
		"name", "description", "project", "stage", "region", "envFile", "environment", "routeSelectionExpression",
		"apiKeySelectionExpression", "routes", "authorizers", "models", "functions", "stageVariables", "throttle", "domains", "apiKeys",
		"usagePlans",
	},
	"route": {
		"http", "function", "mock", "integration", "twoWay", "authorizer", "apiKeyRequired", "method", "timeout", "headers",
		"query", "path", "template", "responses", "models", "modelSelection", "route", "throttle",
	},
	"mock":       {"statusCode", "response"},
	"response":   {"template", "parameters"},
	"authorizer": {"function", "identitySource"},
	"function":   {"handler", "runtime", "code", "name", "description", "environment", "timeout", "memory", "concurrency"},
	"throttle":   {"rate", "burst"},
	"apiKey":     {"value", "enabled", "description", "customerId"},
	"usagePlan":  {"keys", "description", "throttle", "quota", "routes"},
	"quota":      {"limit", "period", "offset"},
}

// short is a cleat.yaml being read.
type short struct {
	*loader
	r    *variable.Resolver
	root *cfn.Value // resolved
	p    *Project
	t    *blueprint.Blueprint
	api  *blueprint.Blueprint // what belongs to the API: its hash names the deployment
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
	raw := l.Parse(file)
	if raw == nil {
		if l.Unread(file) {
			return nil
		}
		raw = &cfn.Value{Kind: cfn.Map, Place: cfn.Place{File: file, Line: 1}}
	}
	if !raw.Is(cfn.Map) {
		l.Faultf(raw.Place, "cleat.yaml is a map of settings, not %s", raw.Kind)
		return nil
	}
	s := &short{loader: l, p: p, t: blueprint.New(), api: blueprint.New(), routes: map[string]cfn.Place{}, locals: map[string]bool{}, routeSettings: &cfn.Value{Kind: cfn.Map}}
	s.resolve(raw, nil)
	s.CheckKeys(s.root, file, slices.Concat(cleatSettings[""], config.Settings[""]))
	s.readNode()
	base := s.base()
	if base != "" {
		return s.overlay(base)
	}
	for _, other := range serverlessNames {
		if l.Exists(other) {
			l.Warnf(cfn.Place{File: other}, "%s is not read: %s has routes or functions of its own", other, file)
		}
	}
	s.readProject()
	p.Template = s.t.Value()
	return p
}

// resolve settles environment and stage and then resolves the file: the settings of those names, or all of it.
func (s *short) resolve(raw *cfn.Value, names []string) {
	env, functions := s.vars.Environment()
	s.p.Environment = functions
	load := func(name string) {
		vars := s.vars.LoadEnv(name, env, true)
		variable.Fill(env, vars)
		for k := range vars {
			functions[k] = env[k] // where the process environment has the name too, it wins
		}
	}
	s.r = s.vars.Resolver(raw, env)
	files := s.r.Deep(raw.Get("envFile"))
	if files.Is(cfn.String) {
		files = cfn.ListOf(files.Place, files)
	}
	if files.Is(cfn.List) {
		for _, f := range files.Items {
			if name, ok := s.Text(f, "envFile"); ok {
				load(name)
			}
		}
	} else if files != nil && files.Kind != cfn.Null {
		s.Faultf(files.Place, "envFile must be a file's name or a list of them, not %s", files.Kind)
	}
	s.r = s.vars.Resolver(raw, env)
	if s.p.Stage == "" {
		s.p.Stage, _ = s.Text(s.r.Get(raw, "stage"), "stage")
	}
	if s.p.Region == "" {
		s.p.Region, _ = s.Text(s.r.Get(raw, "region"), "region")
	}
	s.p.setDefaults()
	s.r = s.vars.Resolver(raw, env)
	s.r.Stage = s.p.Stage
	s.r.Given["stage"], s.r.Given["provider.stage"] = s.p.Stage, s.p.Stage
	s.r.Given["region"], s.r.Given["provider.region"] = s.p.Region, s.p.Region
	part := raw
	if names != nil {
		part = &cfn.Value{Kind: cfn.Map, Place: raw.Place}
		for _, e := range raw.Entries() {
			if slices.Contains(names, e.Key) {
				part.Keys = append(part.Keys, e)
			}
		}
	}
	s.root = s.r.Deep(part)
	blueprint.CheckStageName(s.Reading, s.p.Stage, raw.Get("stage").At())
	s.vars.CheckRegion(s.p.Region, raw.Get("region").At())
}

// readNode reads what is not part of the API's definition.
func (s *short) readNode() {
	s.p.Node = config.Read(s.Reading, s.root, s.p.Region, s.r.IsBroken)
	s.remotes = s.p.Remote
	for _, e := range s.Entries(s.root.Get("environment"), "environment") {
		if text, ok := s.Text(e.Value, "environment variable "+e.Key); ok && blueprint.CheckVariable(s.Reading, e) {
			s.p.Environment[e.Key] = text
		}
	}
}

// base is the project file that this one goes on top of, "" when it stands alone.
func (s *short) base() string {
	if v := s.root.Get("project"); v != nil {
		name, ok := s.Text(v, "project")
		if ok && (slices.Contains(cleatNames, filepath.Base(name)) || !s.Exists(name)) {
			s.Faultf(v.Place, "project: there is no project file at %q", name)
		}
		for _, key := range []string{"routes", "functions", "authorizers", "models"} {
			if over := s.root.Get(key); over != nil {
				s.Faultf(over.Place, "%s cannot stand beside `project`: %s defines them", key, name)
			}
		}
		return name
	}
	if s.root.Get("routes") != nil || s.root.Get("functions") != nil {
		return ""
	}
	for _, name := range slices.Concat(serverlessNames, programNames, templateNames, builtNames) {
		if s.Exists(name) {
			return name
		}
	}
	return ""
}

// overlay reads the other project file and puts this one's settings on top.
func (s *short) overlay(base string) *Project {
	if s.vars.Stage == "" && s.root.Get("stage") != nil {
		s.vars.Stage = s.p.Stage
	}
	if s.vars.Region == "" && s.root.Get("region") != nil {
		s.vars.Region = s.p.Region
	}
	s.stackName = s.root.Get("name").Str()
	ignored := []string{"routeSelectionExpression", "apiKeySelectionExpression", "description", "authorizers", "models", "apiKeys", "usagePlans"}
	if slices.Contains(serverlessNames, filepath.Base(base)) || filepath.Base(base) == packagedName {
		ignored = append(ignored, "name") // a template has no name of its own, these have
	}
	for _, key := range ignored {
		if v := s.root.Get(key); v != nil {
			s.Warnf(v.Place, "%s has no effect here: %s defines it", key, base)
		}
	}
	if !s.Exists(base) {
		return nil
	}
	p := s.loadFile(base)
	if p == nil {
		return nil
	}
	p.Node = s.p.Node
	variable.Fill(p.Environment, s.p.Environment)
	if extra := s.stageProperties(); len(extra.Keys) > 0 {
		id, found := onlyStage(p.Template)
		if id == "" {
			s.Warnf(extra.Keys[0].Place, "what is set for the stage has no effect: %s has %d stages of a WebSocket API, not one", base, found)
			s.overlayDomains(p)
			return p
		}
		over := cfn.MapOf(s.root.Place, "Resources", cfn.MapOf(s.root.Place, id, cfn.MapOf(s.root.Place, "Properties", extra)))
		p.Template = cfn.Merge(p.Template, over)
	}
	s.overlayDomains(p)
	return p
}

var variableValue = regexp.MustCompile(`^[A-Za-z0-9\-._~:/?#&=,]+$`)

// stageProperties are what this file says about its stage beyond the name.
func (s *short) stageProperties() *cfn.Value {
	props := &cfn.Value{Kind: cfn.Map, Place: s.root.Place}
	vars := &cfn.Value{Kind: cfn.Map, Place: s.root.Get("stageVariables").At()}
	for _, e := range s.Entries(s.root.Get("stageVariables"), "stageVariables") {
		text, ok := s.Text(e.Value, "stage variable "+e.Key)
		switch {
		case !ok:
		case !stageVariable.MatchString(e.Key):
			s.Faultf(e.Place, "%q is not the name of a stage variable: 1 to 64 letters, digits and _", e.Key)
		case !variableValue.MatchString(text) || len(text) > 2048:
			s.Faultf(e.Value.Place, "stage variable %s: a value has 1 to 2048 of the characters A-Z a-z 0-9 - . _ ~ : / ? # & = ,", e.Key)
		default:
			vars.Keys = append(vars.Keys, cfn.Entry{Key: e.Key, Place: e.Place, Value: cfn.TextOf(e.Value.Place, text)})
		}
	}
	if len(vars.Keys) > 0 {
		props.Set(cfn.Entry{Key: "StageVariables", Place: vars.Place, Value: vars})
	}
	if v := s.root.Get("throttle"); v != nil {
		props.Set(cfn.Entry{Key: "DefaultRouteSettings", Place: v.Place, Value: s.throttleSettings(v, "throttle", "Throttling")})
	}
	if len(s.routeSettings.Keys) > 0 {
		props.Set(cfn.Entry{Key: "RouteSettings", Place: s.root.Place, Value: s.routeSettings})
	}
	return props
}

var stageVariable = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)

// readProject reads a cleat.yaml that stands alone.
func (s *short) readProject() {
	s.readShortName()
	functions := s.Entries(s.root.Get("functions"), "functions")
	for _, e := range functions {
		s.locals[e.Key] = true
	}
	for _, e := range functions {
		s.addShortFunction(e)
	}
	at := s.root.Place
	selection := cfn.TextOf(at, "$request.body.action")
	if text, ok := s.Text(s.root.Get("routeSelectionExpression"), "routeSelectionExpression"); ok {
		selection = cfn.TextOf(s.root.Get("routeSelectionExpression").Place, text)
		if blueprint.LacksDollar(text) {
			s.Faultf(selection.Place, "routeSelectionExpression %q must be an expression, such as $request.body.action", text)
		}
	}
	optional := func(key string) *cfn.Value {
		if _, ok := s.Text(s.root.Get(key), key); !ok {
			return nil
		}
		return s.root.Get(key)
	}
	s.api.Add(at, blueprint.APIID, "AWS::ApiGatewayV2::Api", cfn.MapOf(at,
		"Name", cfn.TextOf(at, s.p.Name),
		"Description", optional("description"),
		"ProtocolType", cfn.TextOf(at, "WEBSOCKET"),
		"RouteSelectionExpression", selection,
		"ApiKeySelectionExpression", optional("apiKeySelectionExpression")))
	for _, e := range s.Entries(s.root.Get("authorizers"), "authorizers") {
		s.addShortAuthorizer(e)
	}
	for _, e := range s.Entries(s.root.Get("models"), "models") {
		s.addShortModel(e)
	}
	routes := s.Entries(s.root.Get("routes"), "routes")
	for _, e := range routes {
		s.addShortRoute(e)
	}
	if len(routes) == 0 {
		s.Warnf(at, "the project has no routes: there is nothing to connect to")
		return
	}
	deployment := blueprint.DeploymentID(s.api.Resources)
	props := cfn.MapOf(at, "ApiId", cfn.Ref(at, blueprint.APIID), "StageName", cfn.TextOf(at, s.p.Stage), "DeploymentId", cfn.Ref(at, deployment))
	props.Keys = append(props.Keys, s.stageProperties().Keys...)
	s.api.Add(at, blueprint.StageID, "AWS::ApiGatewayV2::Stage", props)
	s.api.Add(at, deployment, "AWS::ApiGatewayV2::Deployment", cfn.MapOf(at, "ApiId", cfn.Ref(at, blueprint.APIID)), "DependsOn", cfn.Texts(at, s.deps...))
	s.t.Resources.Keys = append(s.t.Resources.Keys, s.api.Resources.Keys...)
	s.readAPIKeys()
	s.t.Resources.Keys = append(s.t.Resources.Keys, s.domainResources(cfn.Ref(at, blueprint.APIID), cfn.Ref(at, blueprint.StageID))...)
}

func (s *short) readShortName() {
	v := s.root.Get("name")
	name, ok := s.Text(v, "name")
	switch {
	case ok && !blueprint.IsServiceName(name):
		s.Faultf(v.Place, "%q is not a project's name: letters, digits and -, beginning with a letter", name)
	case !ok && !s.r.IsBroken(v) && !v.Is(cfn.List) && !v.Is(cfn.Map):
		s.Faultf(s.root.Place, "`name` is missing: the project's name, as in `name: chat`")
	}
	s.p.Name = name
}

// functionARN is what a reference to a function means: one that runs here, an ARN, or one that runs elsewhere.
func (s *short) functionARN(v *cfn.Value, what string) *cfn.Value {
	name, ok := s.Text(v, what)
	switch {
	case !ok:
		return nil
	case s.locals[name]:
		return cfn.GetAtt(v.Place, blueprint.FunctionID(name), "Arn")
	case strings.HasPrefix(name, "arn:"):
		return v
	case s.remote(name):
		return cfn.TextOf(v.Place, awsapi.FunctionARN(s.p.Region, awsapi.DefaultAccount, name))
	}
	var known []string
	for _, e := range s.Entries(s.root.Get("functions"), "functions") {
		known = append(known, e.Key)
	}
	s.Faultf(v.Place, "%s: there is no function %q under functions, and no pattern of remoteFunctions fits it%s", what, name, input.DidYouMean(name, known))
	return nil
}

package serverless

import (
	"path/filepath"
	"slices"
	"strings"

	"cleat/internal/awsapi"
	"cleat/internal/blueprint"
	"cleat/internal/cfn"
	"cleat/internal/input"
	"cleat/internal/variable"
)

// The settings of serverless.yml that the framework knows, versions 1 to 4. Only some have an effect here; the others are
// listed so that a misspelt one can be told from a plugin's own.
var (
	topKeys = []string{
		"service", "provider", "functions", "resources", "plugins", "custom", "package", "frameworkVersion", "useDotenv",
		"params", "stages", "configValidationMode", "app", "org", "tenant", "console", "dashboard", "build", "layers",
		"disabledDeprecations", "deprecationNotificationMode", "variablesResolutionMode", "unresolvedVariablesNotificationMode",
		"outputs", "enableLegacyDeploymentBucket", "licenseKey", "state", "stateMachines", "stepFunctions", "configSchema",
		"constructs", "appSync", "projectDir",
	}
	providerKeys = []string{
		"name", "stage", "region", "runtime", "environment", "timeout", "memorySize", "role", "iam", "iamRoleStatements",
		"iamManagedPolicies", "rolePermissionsBoundary", "websocketsApiName", "websocketsApiRouteSelectionExpression",
		"websocketsDescription", "websocket", "logs", "apiGateway", "apiKeys", "usagePlan", "apiName", "httpApi", "tags",
		"stackTags", "stackName", "stackParameters", "stackPolicy", "deploymentBucket", "deploymentPrefix", "deploymentMethod",
		"vpc", "vpcEndpointIds", "tracing", "layers", "logRetentionInDays", "logDataProtectionPolicy", "architecture", "profile",
		"credentials", "endpointType", "versionFunctions", "lambdaHashingVersion", "ecr", "eventBridge", "disableRollback",
		"minimumCompressionSize", "binaryMediaTypes", "runtimeManagement", "notificationArns", "cfnRole", "resourcePolicy",
		"rollbackConfiguration", "reservedConcurrency", "variableSyntax", "kmsKeyArn", "alb", "cloudFront", "s3", "kinesis",
		"websocketApiName", "websocketApiRouteSelectionExpression", "disableDefaultOutputExportNames", "snapStart", "ephemeralStorageSize", "build", "resolver", "logGroupClass",
	}
	// ownSections are the top-level sections that have no effect here and need no mention: they steer packaging, deploying
	// and the framework itself.
	ownSections = []string{
		"service", "provider", "functions", "resources", "plugins", "custom", "package", "frameworkVersion", "useDotenv",
		"params", "stages", "configValidationMode", "app", "org", "tenant", "console", "dashboard", "build",
		"disabledDeprecations", "deprecationNotificationMode", "variablesResolutionMode", "unresolvedVariablesNotificationMode",
		"outputs", "enableLegacyDeploymentBucket", "licenseKey", "configSchema", "projectDir",
	}
	bundlers = []string{
		"serverless-esbuild", "serverless-bundle", "serverless-webpack", "serverless-plugin-typescript",
	}
	// quietPlugins need nothing of Cleat, or what they do is done here.
	quietPlugins = []string{
		"serverless-offline", "serverless-dynamodb-local", "serverless-dynamodb", "serverless-dotenv-plugin",
		"serverless-python-requirements", "serverless-pseudo-parameters", "serverless-websockets-plugin",
	}
)

// Service is what a serverless.yml says.
type Service struct {
	Name   string
	Stage  string
	Region string
	// Template is a CloudFormation template, as project.Project has it.
	Template *cfn.Value
	// Environment are variables that every function gets beneath its own: of --env-file, of serverless-dotenv-plugin.
	Environment map[string]string
	// LeftAlone names what was read and given no effect to, each once.
	LeftAlone []string
}

// Options say what a project is read with besides its scope.
type Options struct {
	File string // the project's file, relative to its folder, for faults
	// Remote reports whether a function of that name runs elsewhere, so that nothing is asked of its code.
	Remote func(name string) bool
}

// Read reads a serverless.yml, whose root is a map. What is wrong with it, and what may surprise its author, is noted in the
// scope's reading; the service is what could be made of the rest.
func Read(vars *variable.Scope, root *cfn.Value, o Options) *Service {
	s := &service{
		Reading: vars.Reading, vars: vars, root: root, file: o.File, remote: o.Remote,
		p: &Service{Region: vars.Region}, t: blueprint.New(), generated: map[string]bool{},
	}
	s.read()
	s.p.Template = s.t.Value()
	return s.p
}

// service is a serverless.yml being read.
type service struct {
	*input.Reading
	vars    *variable.Scope
	r       *variable.Resolver
	root    *cfn.Value
	file    string
	remote  func(name string) bool // Options.Remote
	p       *Service
	t       *blueprint.Blueprint
	plugins []string
	// bundle says that a plugin (or the framework) bundles the functions' code.
	bundle bool
	// functions in order, by the name that the file gives them.
	functions []*function
	// shared is what every function gets of the provider.
	shared struct {
		runtime     *cfn.Value // nil is none
		environment *cfn.Value // likewise
		role        *cfn.Value // nil: the one made here
	}
	generated map[string]bool // resources of the API that were made here
	badName   bool            // service or stage has a fault that names made of them need not repeat
}

func (s *service) read() {
	s.HintKeys(s.root, s.file, topKeys)
	for _, e := range s.root.Keys {
		if !slices.Contains(ownSections, e.Key) {
			s.leaveAlone("section " + e.Key)
		}
	}
	s.readStage()
	s.readName()
	if !s.readProvider() {
		return // nothing else in the file has the meaning it has for aws
	}
	s.readFunctions()
	s.addRole()
	for _, f := range s.functions {
		s.addFunction(f)
	}
	s.addAPI()
	s.readResources()
	if slices.Contains(s.plugins, "serverless-pseudo-parameters") {
		s.t.Resources, s.t.Outputs = subHash(s.t.Resources), subHash(s.t.Outputs)
	}
	s.nameDeployment()
}

func (s *service) leaveAlone(what string) {
	if !slices.Contains(s.p.LeftAlone, what) {
		s.p.LeftAlone = append(s.p.LeftAlone, what)
	}
}

// readStage finds stage and region. They decide which .env files count, and .env files may decide them: so the stage is
// looked for with what is known without it, and everything is read anew with what it brings.
func (s *service) readStage() {
	env, functions := s.vars.Environment()
	s.p.Environment = functions
	s.r = s.vars.Resolver(s.root, env)
	s.readPlugins()
	dotenv := s.dotenvFiles()
	early := map[string]string{}
	variable.Fill(early, env)
	if len(dotenv) > 0 {
		variable.Fill(early, s.vars.LoadEnv(dotenv[len(dotenv)-1], env, false))
	}
	s.r = s.vars.Resolver(s.root, early)
	stage := s.vars.Stage
	at := cfn.Place{File: "--stage"}
	if stage == "" {
		at = s.root.Path("provider", "stage").At()
		stage, _ = s.Text(s.r.Get(s.root, "provider", "stage"), "provider.stage")
	}
	if stage == "" {
		stage = variable.DefaultStage
	}
	if !blueprint.CheckStageName(s.Reading, stage, at) {
		s.badName = true
	}
	s.p.Stage = stage
	s.addDotenv(env, dotenv)

	s.r = s.vars.Resolver(s.root, env)
	s.r.Stage = stage
	s.r.Given["provider.stage"] = stage
	if s.vars.Region != "" {
		s.vars.CheckRegion(s.vars.Region, cfn.Place{})
		s.r.Given["provider.region"] = s.vars.Region
	} else if region, ok := s.Text(s.r.Get(s.root, "provider", "region"), "provider.region"); ok {
		s.p.Region = region
		s.r.Given["provider.region"] = region
		s.vars.CheckRegion(region, s.root.Path("provider", "region").At())
	}
	if s.p.Region == "" {
		s.p.Region = awsapi.DefaultRegion
	}
	if _, ok := s.r.Given["provider.region"]; !ok {
		s.r.Given["provider.region"] = s.p.Region
	}
	s.readPlugins()
}

// dotenvFiles are the .env files that count for every stage, or nil when .env files do not count. "{stage}" stands for
// the stage. The later ones give way to the earlier ones.
func (s *service) dotenvFiles() []string {
	use := s.r.Get(s.root, "useDotenv")
	version := s.root.Get("frameworkVersion").Str()
	version4 := strings.HasPrefix(strings.TrimLeft(version, "^~>=v "), "4")
	switch {
	case use.Is(cfn.Bool) && use.Text == "false":
		return nil
	case use.Is(cfn.String) && use.Text != "true":
		return []string{".env.{stage}", use.Text, ".env"}
	case use.Is(cfn.List):
		files := []string{".env.{stage}"}
		for _, item := range use.Items {
			files = append(files, item.Str())
		}
		return append(files, ".env")
	case use.Is(cfn.Bool), use.Is(cfn.String), version4:
		return []string{".env.{stage}", ".env"}
	case slices.Contains(s.plugins, "serverless-dotenv-plugin"):
		return s.pluginDotenv()
	}
	return nil
}

// pluginDotenv are the files of serverless-dotenv-plugin, which also go to the functions: of NODE_ENV, else of the stage
// and, where no stage was asked for, of "development".
func (s *service) pluginDotenv() []string {
	var files []string
	if env := s.vars.Env["NODE_ENV"]; env != "" {
		files = []string{".env." + env + ".local", ".env." + env}
	} else {
		files = []string{".env.{stage}.local", ".env.{stage}"}
		if s.vars.Stage == "" {
			files = append(files, ".env.development.local", ".env.development")
		}
	}
	files = append(files, ".env.local", ".env")
	conf := s.r.Get(s.root, "custom", "dotenv")
	if path, ok := s.r.Get(conf, "path").Scalar(); ok {
		return []string{path}
	}
	if base, ok := s.r.Get(conf, "basePath").Scalar(); ok {
		for i := range files {
			files[i] = filepath.Join(base, files[i])
		}
	}
	return files
}

// addDotenv adds what .env files set to env and, for serverless-dotenv-plugin, to what functions get.
func (s *service) addDotenv(env map[string]string, files []string) {
	known := map[string]string{}
	variable.Fill(known, env)
	vars := map[string]string{}
	for _, name := range files {
		variable.Fill(vars, s.vars.LoadEnv(strings.ReplaceAll(name, "{stage}", s.p.Stage), known, false))
	}
	variable.Fill(env, vars)
	if !slices.Contains(s.plugins, "serverless-dotenv-plugin") {
		return
	}
	conf := s.r.Get(s.root, "custom", "dotenv")
	include, exclude := s.r.Deep(s.r.Get(conf, "include")), s.r.Deep(s.r.Get(conf, "exclude"))
	for k := range vars {
		if include.Is(cfn.List) && !listed(include, k) || listed(exclude, k) {
			delete(vars, k)
			continue
		}
		vars[k] = env[k] // where the process environment has the name too, it wins, as in the plugin
	}
	variable.Fill(s.p.Environment, vars)
}

func listed(list *cfn.Value, name string) bool {
	return list.Is(cfn.List) && slices.ContainsFunc(list.Items, func(v *cfn.Value) bool { return v.Str() == name })
}

// pluginHints say what to do about plugins whose absence is felt.
var pluginHints = map[string]string{
	"serverless-domain-manager": "; a cleat.yaml beside this file can name the domains under `domains`",
}

func (s *service) readPlugins() {
	s.plugins = nil
	list := s.r.Get(s.root, "plugins")
	if list.Is(cfn.Map) {
		list = s.r.Get(list, "modules")
	}
	if list == nil || s.r.IsBroken(list) {
		list = &cfn.Value{}
	}
	for _, item := range list.Items {
		item = s.r.Reported(s.r.Value(item))
		name, ok := s.Text(item, "a plugin's name")
		if !ok {
			continue
		}
		s.plugins = append(s.plugins, name)
		switch {
		case slices.Contains(bundlers, name):
			s.bundle = true
		case !slices.Contains(quietPlugins, name):
			s.Warnf(item.Place, "plugin %s is not run: what it adds or changes is missing here%s", name, pluginHints[name])
		}
	}
	if s.root.Path("build", "esbuild") != nil || s.root.Get("build").Str() == "esbuild" {
		s.bundle = true
	}
}

func (s *service) readName() {
	v := s.root.Get("service")
	if v == nil {
		s.Faultf(cfn.Place{File: s.file, Line: 1}, "`service` is missing: the project's name, as in `service: chat`%s", input.Misspelt(s.root, "service"))
		return
	}
	v = s.r.Get(s.root, "service")
	if v.Is(cfn.Map) {
		if v = s.r.Get(v, "name"); v == nil {
			s.Faultf(s.root.Get("service").Place, "`service.name` is missing: the project's name")
			return
		}
	}
	name, ok := s.Text(v, "service")
	if !ok {
		if v.Is(cfn.Null) && !s.r.IsBroken(v) {
			s.Faultf(v.Place, "`service` is empty: it is the project's name, as in `service: chat`")
		}
		return
	}
	if !blueprint.IsServiceName(name) {
		s.badName = true
		s.Faultf(v.Place, "%q is not a service's name: letters, digits and -, beginning with a letter", name)
	}
	s.p.Name = name
}

// readProvider reads what all functions share. It is false when the project is for another provider.
func (s *service) readProvider() bool {
	provider := s.r.Get(s.root, "provider")
	if provider.Is(cfn.Map) {
		s.HintKeys(provider, "provider", providerKeys)
	}
	var name string
	var at cfn.Place
	switch {
	case s.r.IsBroken(provider):
		return true
	case provider == nil:
		s.Faultf(cfn.Place{File: s.file, Line: 1}, "`provider` is missing, as in `provider: {name: aws, runtime: nodejs20.x}`%s", input.Misspelt(s.root, "provider"))
		return true
	case provider.Is(cfn.Map):
		v := s.r.Get(provider, "name")
		if v == nil {
			s.Faultf(provider.Place, "`provider.name` is missing: aws")
		}
		name, _ = s.Text(v, "provider.name")
		at = v.At()
	default:
		name, _ = s.Text(provider, "provider")
		at = provider.Place
	}
	if name != "" && name != "aws" {
		s.Faults = nil // they measured the file by what aws means by it
		s.Faultf(at, "provider %q is not one that Cleat can run: it runs aws", name)
		return false
	}
	s.shared.runtime = s.r.Get(provider, "runtime")
	s.shared.environment = s.environmentMap(s.r.Get(provider, "environment"), "provider.environment")
	s.r.Leniently(func() { s.shared.role = s.providerRole() })
	if syntax, ok := s.r.At(provider, "variableSyntax").Scalar(); ok && !strings.HasPrefix(strings.TrimPrefix(syntax, `\`), "$") {
		s.Faultf(provider.Get("variableSyntax").Place, "variableSyntax is not supported: variables are read as ${…}")
	}
	if s.r.At(provider, "layers") != nil {
		blueprint.WarnLayers(s.Reading, provider.Get("layers").Place)
	}
	return true
}

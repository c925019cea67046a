package serverless

import (
	"slices"
	"strings"

	"cleat/internal/blueprint"
	"cleat/internal/cfn"
	"cleat/internal/input"
	"cleat/internal/variable"
)

var functionKeys = []string{
	"handler", "name", "description", "runtime", "timeout", "memorySize", "environment", "events", "reservedConcurrency",
	"provisionedConcurrency", "layers", "image", "package", "role", "tags", "vpc", "tracing", "architecture", "onError",
	"destinations", "kmsKeyArn", "awsKmsKeyArn", "versionFunction", "disableLogs", "logRetentionInDays", "maximumEventAge",
	"maximumRetryAttempts", "fileSystemConfig", "ephemeralStorageSize", "snapStart", "url", "condition", "dependsOn",
	"runtimeManagement", "module", "iamRoleStatements", "iamRoleStatementsName", "iamRoleStatementsInherit", "logs", "build",
	"logDataProtectionPolicy", "warmup", "dotenv", "capacityProvider", "durableConfig", "tenancy", "iam",
}

const frameworkRuntime = "nodejs20.x" // the framework's default, not Lambda's

// function is one entry of `functions`.
type function struct {
	key    string // the name that the file gives it
	place  cfn.Place
	raw    *cfn.Value
	routes []*event
}

func (s *service) readFunctions() {
	v := s.r.Get(s.root, "functions")
	if s.r.IsBroken(v) {
		return
	}
	entries := s.entries(v, "functions")
	if len(entries) == 0 {
		if hint := input.Misspelt(s.root, "functions"); v == nil && hint != "" {
			s.Faultf(cfn.Place{File: s.file, Line: 1}, "`functions` is missing%s", hint)
		}
		s.Warnf(s.root.At(), "the project has no functions")
	}
	for _, e := range entries {
		raw := s.r.Reported(s.r.Value(e.Value))
		if s.r.IsBroken(raw) {
			continue
		}
		if !raw.Is(cfn.Map) {
			s.Faultf(e.Place, "function %s must be a map with a `handler`, not %s", e.Key, input.KindOf(raw))
			continue
		}
		s.HintKeys(raw, "function "+e.Key, functionKeys)
		for _, f := range s.functions {
			if blueprint.FunctionID(f.key) == blueprint.FunctionID(e.Key) {
				s.Faultf(e.Place, "functions %q and %q (%s) would both be the resource %s: rename one", e.Key, f.key, f.place, blueprint.FunctionID(f.key))
			}
		}
		s.functions = append(s.functions, &function{key: e.Key, place: e.Place, raw: raw})
	}
	for _, f := range s.functions {
		s.readEvents(f)
	}
}

// entries are the entries of a map, or of a list of maps of which the later ones add to the earlier ones.
func (s *service) entries(v *cfn.Value, what string) []cfn.Entry {
	switch {
	case v == nil || v.Kind == cfn.Null:
		return nil
	case v.Is(cfn.Map):
		return v.Keys
	case v.Is(cfn.List):
		all := &cfn.Value{Kind: cfn.Map}
		for _, item := range v.Items {
			m := s.r.Reported(s.r.Value(item))
			switch {
			case m.Is(cfn.Map):
				all = cfn.Merge(all, m)
			case m.Kind != cfn.Null:
				s.Faultf(m.Place, "an item of %s must be a map, not %s", what, m.Kind)
			}
		}
		return all.Keys
	}
	s.Faultf(v.Place, "%s must be a map, not %s", what, v.Kind)
	return nil
}

// own is a setting of the function, or the provider's where it has none. Null counts as none.
func (s *service) own(f *function, key string) *cfn.Value {
	if v := s.r.Get(f.raw, key); v != nil && (v.Kind != cfn.Null || s.r.IsBroken(v)) {
		return v
	}
	return s.r.Get(s.root, "provider", key)
}

// addFunction makes the resources of one function.
func (s *service) addFunction(f *function) {
	what := "function " + f.key
	name := s.functionName(f)
	timeout, memory := blueprint.DefaultTimeout, blueprint.DefaultMemory
	if n, ok := s.Number(s.own(f, "timeout"), what+": timeout (in seconds)", 1, 900); ok {
		timeout = n
	}
	if n, ok := s.Number(s.own(f, "memorySize"), what+": memorySize (in MB)", 128, 10240); ok {
		memory = n
	}
	runtime, known := s.functionRuntime(f)
	code := s.functionCode(f, runtime, known)
	at := f.place
	props := cfn.MapOf(at,
		"FunctionName", cfn.TextOf(at, name),
		"Code", code.value,
		"PackageType", code.packageType,
		"Handler", code.handler,
		"Runtime", code.runtime,
		"MemorySize", cfn.NumberOf(at, memory),
		"Timeout", cfn.NumberOf(at, timeout),
		"Description", s.optional(f, "description"),
		"Role", s.functionRole(f),
		"Environment", s.functionEnvironment(f),
	)
	if v := s.r.Get(f.raw, "reservedConcurrency"); v != nil && !cfn.IsIntrinsic(v) {
		if n, ok := s.Number(v, what+": reservedConcurrency", 0, 100_000); ok {
			props.Keys = append(props.Keys, cfn.Entry{Key: "ReservedConcurrentExecutions", Place: v.Place, Value: cfn.NumberOf(v.Place, n)})
		}
	}
	if v := f.raw.Get("layers"); v != nil {
		blueprint.WarnLayers(s.Reading, v.Place)
	}
	logs := blueprint.FunctionLogID(f.key)
	s.t.Add(at, logs, "AWS::Logs::LogGroup", cfn.MapOf(at, "LogGroupName", cfn.TextOf(at, "/aws/lambda/"+name)))
	s.t.Add(at, blueprint.FunctionID(f.key), "AWS::Lambda::Function", props, "DependsOn", cfn.Texts(at, logs), "Metadata", blueprint.FunctionMetadata(at, code.bundle, code.patterns))
}

func (s *service) optional(f *function, key string) *cfn.Value {
	v := s.r.Deep(s.r.Get(f.raw, key))
	if v == nil || v.Kind == cfn.Null {
		return nil
	}
	return v
}

func (s *service) functionName(f *function) string {
	v := s.r.Get(f.raw, "name")
	if name, ok := s.Text(v, "function "+f.key+": name"); ok {
		if !blueprint.IsFunctionName(name) {
			s.Faultf(v.Place, "%q is not a function's name: 1 to 64 letters, digits, - and _", name)
		}
		return name
	}
	name := s.p.Name + "-" + s.p.Stage + "-" + f.key
	if !blueprint.IsFunctionName(name) && s.p.Name != "" && !s.badName {
		s.Faultf(f.place, "function %s would be named %q: a name has 1 to 64 letters, digits, - and _; give it a `name`", f.key, name)
	}
	return name
}

// functionEnvironment merges the provider's variables and the function's own.
func (s *service) functionEnvironment(f *function) *cfn.Value {
	vars := &cfn.Value{Kind: cfn.Map, Place: f.place}
	for _, from := range []*cfn.Value{
		s.shared.environment,
		s.environmentMap(s.r.Get(f.raw, "environment"), "function "+f.key+": environment"),
	} {
		if from == nil {
			continue
		}
		for _, e := range from.Keys {
			if blueprint.CheckVariable(s.Reading, e) {
				vars.Set(e)
			}
		}
	}
	vars.Keys = slices.DeleteFunc(vars.Keys, func(e cfn.Entry) bool { return e.Value == nil || e.Value.Kind == cfn.Null })
	for i, e := range vars.Keys {
		vars.Keys[i].Value = s.environmentValue(e)
	}
	if len(vars.Keys) == 0 {
		return nil
	}
	return cfn.MapOf(f.place, "Variables", vars)
}

func (s *service) environmentMap(v *cfn.Value, what string) *cfn.Value {
	v = s.r.Deep(v)
	if v == nil || v.Kind == cfn.Null {
		return nil
	}
	if !v.Is(cfn.Map) || cfn.IsIntrinsic(v) {
		s.Faultf(v.Place, "%s must be a map of names and values, not %s", what, v.Kind)
		return nil
	}
	return v
}

func (s *service) environmentValue(e cfn.Entry) *cfn.Value {
	switch v := e.Value; {
	case cfn.IsIntrinsic(v):
		return subPseudo(v)
	case v.Kind == cfn.List || v.Kind == cfn.Map:
		s.Faultf(v.Place, "environment variable %s must be text, not %s", e.Key, v.Kind)
		return v
	default:
		return subPseudo(cfn.TextOf(v.Place, v.Text))
	}
}

// functionRole is the function's role, the provider's, or the one made here.
func (s *service) functionRole(f *function) *cfn.Value {
	var role *cfn.Value
	s.r.Leniently(func() { role = s.r.Deep(s.r.Get(f.raw, "role")) })
	if role == nil || role.Kind == cfn.Null {
		role = s.shared.role
	}
	switch {
	case role == nil:
		return cfn.GetAtt(f.place, blueprint.RoleID, "Arn")
	case role.Is(cfn.String) && !strings.HasPrefix(role.Text, "arn:") && !variable.HasVariables(role.Text) && !strings.Contains(role.Text, "${"):
		return cfn.GetAtt(role.Place, role.Text, "Arn")
	}
	return subPseudo(role)
}

// providerRole is the role that the provider names for all functions, nil when it names none.
func (s *service) providerRole() *cfn.Value {
	for _, path := range [][]string{{"provider", "role"}, {"provider", "iam", "role"}} {
		if v := s.r.Deep(s.providerRoleAt(path)); v.Is(cfn.String) || cfn.IsIntrinsic(v) {
			return v
		}
	}
	return nil
}

// providerRoleAt passes over iam.role maps of statements, which may hold what is resolved elsewhere.
func (s *service) providerRoleAt(path []string) *cfn.Value {
	v := s.r.Get(s.root, path...)
	if v.Is(cfn.Map) && !cfn.IsIntrinsic(v) {
		return nil
	}
	return v
}

// addRole makes the role of the functions, as the framework does: their logs, the project's own statements, and pushing to
// connections. A project that brings a role has none made.
func (s *service) addRole() {
	at := s.root.Get("provider").At()
	if s.shared.role != nil || len(s.functions) == 0 {
		return
	}
	var statements *cfn.Value
	s.r.Leniently(func() {
		for _, path := range [][]string{{"provider", "iam", "role", "statements"}, {"provider", "iamRoleStatements"}} {
			if v := s.r.Get(s.root, path...); v != nil && v.Kind != cfn.Null {
				statements = s.r.Deep(v)
			}
		}
	})
	arn := func(text string) *cfn.Value { return cfn.ListOf(at, cfn.Sub(at, "arn:${AWS::Partition}:"+text, nil)) }
	allow := func(resource *cfn.Value, actions ...string) *cfn.Value {
		return cfn.MapOf(at, "Effect", cfn.TextOf(at, "Allow"), "Action", cfn.Texts(at, actions...), "Resource", resource)
	}
	list := cfn.ListOf(at, allow(
		arn("logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/"+s.p.Name+"-"+s.p.Stage+"*:*"),
		"logs:CreateLogStream", "logs:CreateLogGroup", "logs:PutLogEvents"))
	switch {
	case statements.Is(cfn.List):
		list.Items = append(list.Items, subPseudo(statements).Items...)
	case statements != nil && statements.Kind != cfn.Null:
		s.Faultf(statements.Place, "IAM role statements must be a list, not %s", statements.Kind)
	}
	if s.hasRoutes() {
		list.Items = append(list.Items, allow(arn("execute-api:*:*:*/@connections/*"), "execute-api:ManageConnections"))
	}
	policy := func(statement *cfn.Value) *cfn.Value {
		return cfn.MapOf(at, "Version", cfn.TextOf(at, "2012-10-17"), "Statement", statement)
	}
	s.t.Add(at, blueprint.RoleID, "AWS::IAM::Role", cfn.MapOf(at,
		"AssumeRolePolicyDocument", policy(cfn.ListOf(at, cfn.MapOf(at,
			"Effect", cfn.TextOf(at, "Allow"),
			"Principal", cfn.MapOf(at, "Service", cfn.Texts(at, "lambda.amazonaws.com")),
			"Action", cfn.Texts(at, "sts:AssumeRole")))),
		"Policies", cfn.ListOf(at, cfn.MapOf(at,
			"PolicyName", cfn.TextOf(at, s.p.Name+"-"+s.p.Stage+"-lambda"),
			"PolicyDocument", policy(list)))))
}

package project

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"cleat/internal/blueprint"
	"cleat/internal/cfn"
	"cleat/internal/handlers"
	"cleat/internal/input"
	"cleat/internal/link"
	"cleat/internal/template"
	"cleat/internal/template/cdk"
	"cleat/internal/template/packaged"
)

// stack is a project that is a template already: SAM, CloudFormation, cdk.out, .serverless.
type stack struct {
	*loader
	p *Project
	r *template.Reader
}

func (l *loader) newStack(file string) *stack {
	s := &stack{loader: l, p: l.newProject(file)}
	_, s.p.Environment = l.vars.Environment()
	s.p.setDefaults()
	s.p.Name = l.stackName
	if l.vars.Region != "" {
		l.vars.CheckRegion(l.vars.Region, cfn.Place{})
	}
	s.r = template.New(l.Reading, template.Options{Name: s.p.Name, Region: s.p.Region, Parameters: l.vars.Params, CodeDir: l.codeDir})
	return s
}

// setName names the stack unless cleat.yaml has.
func (s *stack) setName(name string) {
	if s.p.Name == "" {
		s.p.Name = name
	}
	s.r.Options.Name = s.p.Name
}

// loadTemplate reads a SAM or CloudFormation template. The stack is named for the folder it lies in, for nothing in a template
// names it; one of an assembly for its file, as CDK names that.
func (l *loader) loadTemplate(file string) *Project {
	s := l.newStack(file)
	dir := filepath.Dir(l.Abs(file))
	name, ofAssembly := strings.CutSuffix(filepath.Base(file), ".template.json")
	if !ofAssembly {
		name = filepath.Base(dir)
	}
	s.setName(name)
	l.warnOfStage("stages are in the template; --param NAME=VALUE gives its parameters")
	if assets, err := filepath.Glob(filepath.Join(dir, "*.assets.json")); err == nil && len(assets) > 0 {
		cdk.Assets(s.r, assets) // one template of an assembly
	}
	if t := s.r.Stack(file); t != nil {
		s.finish(s.r.Link(link.Stack{Template: t}))
	}
	return s.p
}

// loadAssembly reads what `cdk synth` made.
func (l *loader) loadAssembly(dir string) *Project {
	s := l.newStack(dir)
	folder := filepath.Base(l.Dir)
	s.r.Options.Name = folder
	chosen := cdk.Read(s.r, dir, l.vars.Stage)
	if chosen == nil {
		return s.p
	}
	if chosen.Name == "" {
		chosen.Name = folder
	}
	s.setName(chosen.Name)
	s.finish(chosen.Template)
	return s.p
}

// loadPackaged reads what `serverless package` made.
func (l *loader) loadPackaged(dir string) *Project {
	s := l.newStack(dir)
	l.warnOfStage("the package was made for one: `serverless package --stage NAME` makes another")
	p := packaged.State(s.r, dir)
	if p == nil {
		return s.p
	}
	s.p.Name = "" // the service's, so that addresses are those of its serverless.yml
	s.setName(p.Service)
	if l.vars.Region == "" && p.Region != "" {
		s.p.Region, s.r.Options.Region = p.Region, p.Region
		l.vars.CheckRegion(p.Region, cfn.Place{File: dir})
	}
	p.Read(s.r, dir)
	s.finish(p.Template)
	return s.p
}

func (l *loader) warnOfStage(why string) {
	if l.vars.Stage != "" {
		l.Warnf(cfn.Place{}, "--stage has no effect here: %s", why)
	}
}

// finish takes over a linked template.
func (s *stack) finish(whole *cfn.Value) {
	for _, what := range s.r.LeftAlone {
		s.leaveAlone(what)
	}
	if whole == nil {
		return
	}
	s.p.Parameters = s.r.Given(whole)
	s.checkParameters(whole)
	for _, dir := range s.r.Folders {
		dir = input.RealPath(dir)
		outside := func(base string) bool {
			rel, err := filepath.Rel(base, dir)
			return err != nil || !filepath.IsLocal(rel)
		}
		if outside(s.Dir) && (s.codeDir == "" || outside(input.RealPath(s.codeDir))) && !slices.Contains(s.p.Folders, dir) {
			s.p.Folders = append(s.p.Folders, dir)
		}
	}
	if stage := s.r.Text(whole, whole.Path("Resources", firstStage(whole), "Properties", "StageName")); stage != "" {
		s.p.Stage = stage
	}
	if !hasWebSocketAPI(whole) {
		s.Warnf(cfn.Place{File: s.p.File}, "the template has no AWS::ApiGatewayV2::Api with the ProtocolType WEBSOCKET: there is nothing to connect to")
	}
	s.p.Template = s.withHandlers(whole)
}

// checkParameters faults values that no template asked for: most likely a slip of the pen.
func (s *stack) checkParameters(whole *cfn.Value) {
	var known []string
	for _, p := range cfn.ReadParameters(whole) {
		known = append(known, p.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(s.vars.Params)) {
		if !slices.Contains(known, name) && !strings.Contains(name, ":") {
			s.Faultf(cfn.Place{File: "--param"}, "the template has no parameter %q%s", name, input.DidYouMean(name, known))
		}
	}
}

func firstStage(whole *cfn.Value) string {
	if id, _ := onlyStage(whole); id != "" {
		return id
	}
	for _, e := range whole.Get("Resources").Entries() {
		if e.Value.Get("Type").Str() == stageType {
			return e.Key
		}
	}
	return ""
}

func hasWebSocketAPI(whole *cfn.Value) bool {
	return slices.ContainsFunc(whole.Get("Resources").Entries(), func(e cfn.Entry) bool {
		return e.Value.Get("Type").Str() == "AWS::ApiGatewayV2::Api" && e.Value.Path("Properties", "ProtocolType").Str() != "HTTP"
	})
}

const (
	stageType    = "AWS::ApiGatewayV2::Stage"
	functionType = "AWS::Lambda::Function"
)

// withHandlers is a template with the handler of each function found, and what cannot run told of.
func (s *stack) withHandlers(whole *cfn.Value) *cfn.Value {
	called := calledFunctions(whole)
	resources := &cfn.Value{Kind: cfn.Map, Place: whole.Get("Resources").At()}
	for _, e := range whole.Get("Resources").Entries() {
		if e.Value.Get("Type").Str() == functionType {
			f := stackFunction{stack: s, whole: whole, id: e.Key, place: e.Place, value: e.Value, called: called[e.Key]}
			e.Value = f.withHandler()
		}
		resources.Keys = append(resources.Keys, e)
	}
	return whole.With(cfn.Entry{Key: "Resources", Place: resources.Place, Value: resources})
}

// stackFunction is a function of a template.
type stackFunction struct {
	*stack
	whole  *cfn.Value
	id     string
	place  cfn.Place
	value  *cfn.Value
	called bool // an integration or an authorizer names it
}

// cannotRun is loader.cannotRun for a template's function: a fault when clients depend on it.
func (f *stackFunction) cannotRun(at cfn.Place, why string) {
	if f.called {
		f.Faultf(at, "%s", why)
		return
	}
	f.Warnf(at, "function %s cannot run, so calls of it fail: %s", f.id, strings.TrimPrefix(why, "function "+f.id+": "))
}

func (f *stackFunction) withHandler() *cfn.Value {
	props := f.value.Get("Properties")
	if v := props.Get("Layers"); v != nil && (!v.Is(cfn.List) || len(v.Items) > 0) {
		blueprint.WarnLayers(f.Reading, v.Place)
	}
	for _, e := range props.Path("Environment", "Variables").Entries() {
		blueprint.WarnReserved(f.Reading, e)
	}
	name := f.r.Text(f.whole, props.Get("FunctionName"))
	if name == "" {
		name = f.p.Name + "-" + f.id
	}
	if f.remote(name) {
		return f.value
	}
	if why := f.value.Path("Metadata", "cleat", "Absent").Str(); why != "" {
		f.Warnf(f.place, "function %s is not run here, so calls of it fail unless remoteFunctions in cleat.yaml says where it runs: %s", f.id, why)
		return f.value
	}
	runtime, handler := f.r.Text(f.whole, props.Get("Runtime")), f.r.Text(f.whole, props.Get("Handler"))
	at := props.Get("Runtime").At()
	if at.Line == 0 {
		at = f.place
	}
	switch {
	case runtime == "":
		f.cannotRun(at, "function "+f.id+": it has no Runtime, as in Runtime: nodejs22.x")
		return f.value
	case handlers.RuntimeFault(runtime) != "":
		f.cannotRun(at, handlers.RuntimeFault(runtime))
		return f.value
	}
	return f.located(props, runtime, handler)
}

// located is the function with the folder and the handler that were found.
func (f *stackFunction) located(props *cfn.Value, runtime, handler string) *cfn.Value {
	at := props.Get("Handler").At()
	if at.Line == 0 {
		at = f.place
	}
	dir := props.Path("Code", "LocalPath").Str()
	build := f.value.Path("Metadata", "BuildMethod").Str()
	if build == "esbuild" {
		handler = sourceOf(handler, f.value.Path("Metadata", "BuildProperties", "EntryPoints"))
	}
	where, why := handlers.Find(f.Reading, "function "+f.id, dir, handler, runtime)
	if made := f.Abs(filepath.Join(".aws-sam", "build", f.id)); why != "" && input.IsDir(made) {
		if again, still := handlers.Find(f.Reading, "function "+f.id, made, f.r.Text(f.whole, props.Get("Handler")), runtime); still == "" {
			where, why, build = again, "", ""
		}
	}
	if why != "" {
		f.cannotRun(at, why)
		return f.value
	}
	codeAt := props.Get("Code").At()
	props = props.With(cfn.Entry{Key: "Code", Place: codeAt, Value: cfn.MapOf(codeAt, "LocalPath", cfn.TextOf(codeAt, where.Dir))})
	if where.Handler != "" {
		props = props.With(cfn.Entry{Key: "Handler", Place: at, Value: cfn.TextOf(at, where.Handler)})
	}
	v := f.value.With(cfn.Entry{Key: "Properties", Place: props.Place, Value: props})
	if handlers.KindOf(runtime) != handlers.Node || build != "esbuild" && !where.TypeScript {
		return v
	}
	bundle := cfn.MapOf(f.place, "cleat", cfn.MapOf(f.place, "Bundle", cfn.BoolOf(f.place, true)))
	return v.With(cfn.Entry{Key: "Metadata", Place: f.place, Value: cfn.Merge(v.Get("Metadata"), bundle)})
}

// sourceOf is the handler in terms of what esbuild is given: `sam build` puts what it makes of src/app.ts at app.js, below the
// folder that all entry points have in common.
func sourceOf(handler string, entryPoints *cfn.Value) string {
	i := strings.LastIndexByte(handler, '/') + 1
	module, export, ok := strings.Cut(handler[i:], ".")
	if !ok || !entryPoints.Is(cfn.List) || len(entryPoints.Items) == 0 {
		return handler
	}
	module = handler[:i] + module
	common := filepath.ToSlash(filepath.Dir(entryPoints.Items[0].Str()))
	for _, e := range entryPoints.Items {
		for common != "." && !strings.HasPrefix(e.Str(), common+"/") {
			common = filepath.ToSlash(filepath.Dir(common))
		}
	}
	for _, e := range entryPoints.Items {
		source := strings.TrimSuffix(filepath.ToSlash(filepath.Clean(e.Str())), filepath.Ext(e.Str()))
		if strings.TrimPrefix(source, common+"/") == module || source == module {
			return source + "." + export
		}
	}
	return handler
}

var dollarBrace = regexp.MustCompile(`\$\{([^}]*)\}`)

// calledFunctions are the logical IDs of the functions that integrations and authorizers name, by themselves or by versions
// and aliases.
func calledFunctions(whole *cfn.Value) map[string]bool {
	resources := whole.Get("Resources")
	called := map[string]bool{}
	var visit func(v *cfn.Value)
	name := func(id string) {
		r := resources.Get(id)
		if r == nil || called[id] {
			return
		}
		switch r.Get("Type").Str() {
		case functionType:
			called[id] = true
		case "AWS::Lambda::Alias", "AWS::Lambda::Version":
			called[id] = true
			visit(r.Path("Properties", "FunctionName"))
		}
	}
	visit = func(v *cfn.Value) { references(v, name) }
	for _, e := range resources.Entries() {
		switch e.Value.Get("Type").Str() {
		case "AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Authorizer":
			visit(e.Value.Get("Properties"))
		}
	}
	return called
}

// references calls f with the names that Ref, Fn::GetAtt and Fn::Sub in a value are of.
func references(v *cfn.Value, f func(name string)) {
	if v == nil {
		return
	}
	for _, item := range v.Items {
		references(item, f)
	}
	for _, e := range v.Keys {
		arg := e.Value
		switch {
		case len(v.Keys) == 1 && e.Key == "Ref":
			f(arg.Str())
		case len(v.Keys) == 1 && e.Key == "Fn::GetAtt" && arg.Is(cfn.List) && len(arg.Items) > 0:
			f(arg.Items[0].Str())
		case len(v.Keys) == 1 && e.Key == "Fn::Sub":
			text := arg
			if arg.Is(cfn.List) && len(arg.Items) > 0 {
				text = arg.Items[0]
			}
			for _, m := range dollarBrace.FindAllStringSubmatch(text.Str(), -1) {
				id, _, _ := strings.Cut(strings.TrimSpace(m[1]), ".")
				f(id)
			}
		}
		references(arg, f)
	}
}

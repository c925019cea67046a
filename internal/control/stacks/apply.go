package stacks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/cfn"
	"cleat/internal/draft"
	"cleat/internal/logformat"
	"cleat/internal/store"
)

// Stacks applies, describes and deletes stacks. It is safe for concurrent use, also by several nodes over one store.
type Stacks struct {
	store *store.Store
	o     Options
}

// Options say what Stacks holds definitions to.
type Options struct {
	// Unlimited lifts the quotas that AWS raises on request, as it does of control.Options.
	Unlimited bool
}

// New returns the stacks of a store.
func New(s *store.Store, o Options) *Stacks { return &Stacks{s, o} }

// Stack is a CloudFormation template with what it is applied with.
type Stack struct {
	// Name is the stack's name, the project's. It makes the identifiers, so that they survive a restart.
	Name       string
	Template   *cfn.Value
	Parameters map[string]string // of the template; nil: its defaults
	Region     string            // empty: awsapi.DefaultRegion
	Account    string            // empty: awsapi.DefaultAccount
	// KeySeed is a secret of which the values of API keys that the template gives none are made, so that they survive a
	// restart of a store in memory. Empty: they are random, and last as long as the store.
	KeySeed string
	// Former is a name that the stack had before: what it made then is this stack's, to be replaced or deleted like its
	// own. Empty: none.
	Former string
	// Environment are variables that every function gets beneath its own. Nil: none.
	Environment map[string]string
	// HasCode tells whether a zip file of that SHA-256 has been uploaded: functions name theirs as Code.CleatSHA256, and a
	// Code.LocalPath is refused, for the template comes from another machine. Nil: code is in folders of this one.
	HasCode func(sha256 string) bool
	// DryRun commits nothing: the outcome says what would change.
	DryRun bool
	// Check is asked, before anything is committed, whether the data plane can serve the stages of all APIs that the template
	// touches, as they would be. What it objects to is a fault. Nil: nobody is asked.
	Check func(store.Serving) error
	// Settle is called after the commit and returns when the node serves what was committed, or why it cannot: then the
	// commit is taken back by another. Nil: what is committed is taken for served.
	Settle func(context.Context) error
}

// application is one Apply.
type application struct {
	store     *store.Store
	unlimited bool // see Options
	stack     Stack
	template  *cfn.Template
	evaluator *cfn.Evaluator
	record    store.Stack // of the stack as it was applied before
	revision  store.Revision

	drafts  map[apigw.APIID]*draft.API
	order   []apigw.APIID // of drafts
	domains *draft.Domains
	foreign map[string]bool   // HTTP and REST APIs of the template, and plans for those, by ID: left alone with all that is theirs
	made    map[string]string // keys in the store, by logical ID
	usage   *draft.Usage      // nil: nothing of the template touches API keys and usage plans

	deleting bool // the stack with all that it made, rather than applying it
	outputs  []store.StackOutput
	outcome  Outcome
	left     map[string]int
	guessed  map[string]bool // what a warning was given of
	faults   cfn.Faults
	warnings cfn.Faults

	functionPlaces map[string]cfn.Place // by name
}

// Apply makes the store hold what a template says: it adds, replaces by logical ID, deletes what an earlier template of
// the same stack had and this one does not, and publishes a new deployment where the definition changed. All of it is
// one commit, or nothing when anything is wrong: the error is then a cfn.Faults with every fault and its place, or an
// *apigw.Error of KindConflict when other writers were quicker every time. Undoing a half of a change is never called for,
// then, but a whole one is undone when Stack.Settle fails: the error is an *UndoneError.
func (t *Stacks) Apply(ctx context.Context, s Stack) (Outcome, error) {
	return t.apply(ctx, s, false)
}

func (t *Stacks) apply(ctx context.Context, s Stack, deleting bool) (Outcome, error) {
	if s.Region == "" {
		s.Region = awsapi.DefaultRegion
	}
	if s.Account == "" {
		s.Account = awsapi.DefaultAccount
	}
	s.Name = Name(s.Name)
	if s.Former != "" {
		s.Former = Name(s.Former)
	}
	var out Outcome
	var done *undo
	err := draft.Retry(func() error {
		a := &application{
			store: t.store, unlimited: t.o.Unlimited, stack: s, deleting: deleting, drafts: map[apigw.APIID]*draft.API{}, foreign: map[string]bool{}, made: map[string]string{},
			left: map[string]int{}, guessed: map[string]bool{}, functionPlaces: map[string]cfn.Place{},
		}
		if err := a.prepare(ctx); err != nil {
			return err
		}
		if err := a.build(ctx); err != nil {
			return err
		}
		var err error
		if done, err = a.commit(ctx); err == nil {
			out = a.outcome
		}
		return err
	})
	if err != nil || done == nil || s.Settle == nil {
		return out, err
	}
	if err := s.Settle(ctx); err != nil {
		return out, done.because(ctx, t.store, s, err)
	}
	return out, nil
}

var notInStackName = regexp.MustCompile(`[^A-Za-z0-9-]+`)

// Name makes a legal stack name of a project's; a legal one stays as it is.
func Name(name string) string {
	name = strings.Trim(notInStackName.ReplaceAllString(name, "-"), "-")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "stack-" + name
	}
	return strings.TrimSuffix(name[:min(len(name), 128)], "-")
}

// prepare reads the template and what the store knows of its stack.
func (a *application) prepare(ctx context.Context) error {
	var err error
	if a.template, err = cfn.ReadTemplate(a.stack.Template); err != nil {
		return err
	}
	a.evaluator, err = cfn.NewEvaluator(a.template, cfn.Env{
		Parameters: a.stack.Parameters, Region: a.stack.Region, Account: a.stack.Account, Partition: awsapi.Partition(a.stack.Region),
		StackName: a.stack.Name, URLSuffix: awsapi.URLSuffix(a.stack.Region), Attribute: a.attribute, Import: a.imported,
	})
	if err != nil {
		return err
	}
	a.record, a.revision, err = store.Get(ctx, a.store, store.Stacks().Key(a.stack.Name))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("read the record of stack %s: %w", a.stack.Name, err)
	}
	if a.stack.Former != "" && a.stack.Former != a.stack.Name {
		if err := a.inherit(ctx); err != nil {
			return err
		}
	}
	a.domains, err = draft.LoadDomains(ctx, a.store)
	return err
}

// inherit makes the former stack's resources this one's.
func (a *application) inherit(ctx context.Context) error {
	former, _, err := store.Get(ctx, a.store, store.Stacks().Key(a.stack.Former))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the record of stack %s: %w", a.stack.Former, err)
	}
	all := make(map[string]string, len(a.record.Resources)+len(former.Resources))
	maps.Copy(all, a.record.Resources)
	for logicalID, key := range former.Resources {
		all[a.stack.Former+"/"+logicalID] = key
	}
	a.record.Resources = all
	return nil
}

// phases is the order in which API Gateway's resources are taken in, so that each finds what it refers to.
var phases = []string{"Model", "Authorizer", "Integration", "IntegrationResponse", "Route", "RouteResponse", "Deployment", "Stage"}

// build gives every resource its effect, in memory.
func (a *application) build(ctx context.Context) error {
	resources, err := a.evaluator.Order()
	if err != nil {
		return err
	}
	// Order told that there is no circle; people are told of things in the order in which they wrote them.
	byWriting := slices.DeleteFunc(slices.Clone(a.template.Resources), func(r *cfn.Resource) bool { return !slices.Contains(resources, r) })
	a.warnOfMacros()
	if err := a.addAPIs(ctx, byWriting); err != nil {
		return err
	}
	for _, phase := range phases {
		for _, r := range byWriting {
			if r.Type == apiGateway+phase {
				if err := a.addToAPI(ctx, r, phase); err != nil {
					return err
				}
			}
		}
	}
	a.checkSchemas(byWriting)
	if err := a.visitOthers(ctx); err != nil {
		return err
	}
	a.pointStages(byWriting)
	a.noteRESTAPIs(byWriting)
	if err := a.addUsage(ctx, byWriting); err != nil {
		return err
	}
	if err := a.addDomains(ctx, byWriting); err != nil {
		return err
	}
	for _, r := range byWriting {
		a.addOther(r)
	}
	a.evaluateOutputs()
	a.finish()
	if err := a.checkOthers(ctx); err != nil {
		return err
	}
	a.summarize(byWriting)
	return a.faults.Err()
}

// warnOfMacros tells of macros that nobody has run. That of SAM has been, or its resources are refused.
func (a *application) warnOfMacros() {
	macros := []*cfn.Value{a.template.Transform}
	if a.template.Transform.Is(cfn.List) {
		macros = a.template.Transform.Items
	}
	for _, m := range macros {
		if name := m.Str(); name != "" && !strings.HasPrefix(name, "AWS::Serverless-") && name != "AWS::LanguageExtensions" {
			a.warnings.Addf(m.At(), "the macro %s is not run here: the template is taken as it is written", name)
		}
	}
}

// addAPIs begins a draft for each API of the template.
func (a *application) addAPIs(ctx context.Context, resources []*cfn.Resource) error {
	for _, r := range resources {
		if r.Type != apiGateway+"Api" {
			continue
		}
		id := a.idOf(r)
		protocol, ok := a.evaluate(r.Properties.Get("ProtocolType"))
		if !ok {
			continue
		}
		if protocol.Str() == "HTTP" || protocol == nil && (r.Properties.Get("Body") != nil || r.Properties.Get("BodyS3Location") != nil) {
			a.foreign[id] = true
			a.left[r.Type+" (HTTP)"]++
			continue
		}
		d, err := a.draft(ctx, apigw.APIID(id))
		if errors.Is(err, store.ErrNotFound) {
			d = draft.New(apigw.APIID(id), a.stack.Region)
			a.keep(apigw.APIID(id), d)
		} else if err != nil {
			return err
		}
		api := apigw.API{APIID: d.ID(), CreatedDate: d.Now.API.CreatedDate, APIEndpoint: awsapi.APIEndpoint(a.stack.Region, d.ID())}
		checkProperties(r, resourceTypes["Api"], &a.faults)
		ok = a.decode(r, "Api", &api)
		a.reportIf(ok, r, d.Set(api))
		a.own(r.LogicalID, store.APIs().Key(id).String())
	}
	return nil
}

// draft returns the draft of an API that the store holds, cleared of what this stack put there before. The error of an
// API that is not there is store.ErrNotFound.
func (a *application) draft(ctx context.Context, id apigw.APIID) (*draft.API, error) {
	if d := a.drafts[id]; d != nil {
		return d, nil
	}
	t, err := a.store.Tree(ctx, id)
	if err != nil {
		return nil, err
	}
	d := draft.Of(t)
	d.Forget(a.before())
	a.keep(id, d)
	return d, nil
}

// before are the keys in the store of all that the stack had when it was applied last.
func (a *application) before() map[string]bool {
	keys := make(map[string]bool, len(a.record.Resources))
	for _, key := range a.record.Resources {
		keys[key] = true
	}
	return keys
}

func (a *application) keep(id apigw.APIID, d *draft.API) {
	a.drafts[id] = d
	a.order = append(a.order, id)
}

// own notes that a resource of the template is that key in the store.
func (a *application) own(logicalID, key string) { a.made[logicalID] = key }

// evaluate evaluates a value; ok is false after a fault.
func (a *application) evaluate(v *cfn.Value) (result *cfn.Value, ok bool) {
	result, err := a.evaluator.Evaluate(v)
	if faults, is := errors.AsType[cfn.Faults](err); is {
		a.faults = append(a.faults, faults...)
	}
	return result, err == nil
}

// decode evaluates the properties of a resource into its definition.
func (a *application) decode(r *cfn.Resource, kind string, into any) bool {
	v, ok := a.evaluate(r.Properties)
	n := len(a.faults)
	cfn.Decode(v, resourceTypes[kind].properties, into, r.LogicalID, &a.faults)
	return ok && len(a.faults) == n
}

// placeOf is where a property of a resource is written, or the resource.
func (a *application) placeOf(r *cfn.Resource, property string) cfn.Place {
	property, key, _ := strings.Cut(property, ".")
	place := r.Place
	for _, e := range r.Properties.Entries() {
		if e.Key != property {
			continue
		}
		place = e.Place
		for _, inner := range e.Value.Entries() {
			if inner.Key == key {
				place = inner.Place
			}
		}
	}
	return place
}

// report notes problems as faults, at the properties they are about.
func (a *application) report(r *cfn.Resource, p draft.Problems) {
	for _, one := range p.Held(a.unlimited) {
		a.faults.Addf(a.placeOf(r, cfn.PropertyName(one.Field)), "%s: %s", r.LogicalID, one.Err.Message)
	}
}

// reportIf is report unless the resource could not be read: what else is wrong with it then is not its author's doing.
func (a *application) reportIf(decoded bool, r *cfn.Resource, p draft.Problems) {
	if decoded {
		a.report(r, p)
	}
}

// addToAPI takes in one resource that belongs to an API.
func (a *application) addToAPI(ctx context.Context, r *cfn.Resource, kind string) error {
	v, ok := a.evaluate(r.Properties.Get("ApiId"))
	if !ok {
		return nil
	}
	id := v.Str()
	switch {
	case id == "":
		a.faults.Addf(r.Place, "%s: ApiId is required", r.LogicalID)
		return nil
	case a.foreign[id]:
		a.left[r.Type+" (HTTP)"]++
		return nil
	}
	checkProperties(r, resourceTypes[kind], &a.faults)
	d, err := a.draft(ctx, apigw.APIID(id))
	if errors.Is(err, store.ErrNotFound) {
		a.faults.Addf(a.placeOf(r, "ApiId"), "%s: Invalid API identifier specified %s", r.LogicalID, id)
		return nil
	}
	if err != nil {
		return err
	}
	a.take(d, r, kind)
	return nil
}

// finish brings stages with autoDeploy up to date and tells of what cannot work.
func (a *application) finish() {
	a.checkMappings()
	for _, id := range a.order {
		d := a.drafts[id]
		a.checkTargets(d)
		if len(a.faults) > 0 {
			continue
		}
		if dep := d.AutoDeploy(); dep != "" {
			a.own("autoDeploy/"+string(id), store.Deployments(id).Key(dep).String())
		}
	}
	for _, logicalID := range slices.Sorted(maps.Keys(a.made)) {
		if r := a.template.Resource(logicalID); r != nil && strings.HasPrefix(r.Type, apiGateway) {
			a.warnOf(r, strings.Split(a.made[logicalID], "/"))
		}
	}
	a.warnings, a.faults = inOrder(a.warnings), inOrder(a.faults)
}

// checkTargets finds routes made by others whose integration is about to go.
func (a *application) checkTargets(d *draft.API) {
	for i := range d.Now.Routes {
		r := &d.Now.Routes[i]
		if id := strings.TrimPrefix(r.Target, "integrations/"); id != "" && draft.Integrations.Find(d, id) == nil {
			a.faults.Addf(cfn.Place{}, "API %s: Cannot delete Integration because it is referenced by the following Routes with Ids: [%s]", d.ID(), r.RouteID)
		}
	}
}

// warnOf tells of a resource that will not do what it seems to; key is its key in the store, in parts.
func (a *application) warnOf(r *cfn.Resource, key []string) {
	d := a.drafts[apigw.APIID(key[1])]
	switch strings.TrimPrefix(r.Type, apiGateway) {
	case "Api":
		if len(d.Now.Stages) == 0 {
			a.warnings.Addf(r.Place, "API %s has no stage: nobody can connect to it", r.LogicalID)
		} else if d.Now.API.DisableExecuteAPIEndpoint && len(a.domains.MappingsOf(d.ID(), "")) == 0 {
			a.warnings.Addf(a.placeOf(r, "DisableExecuteApiEndpoint"), "API %s: nobody can connect to it: its default endpoint is disabled and no custom domain name leads to it", r.LogicalID)
		}
	case "Stage":
		if s := draft.Stages.Find(d, key[3]); s != nil && s.DeploymentID == "" && len(a.faults) == 0 {
			a.warnings.Addf(r.Place, "stage %s has no deployment: it answers 403 Forbidden", s.StageName)
		}
		a.warnOfLogFormat(r, draft.Stages.Find(d, key[3]))
	case "Route":
		rt := draft.Routes.Find(d, key[3])
		if rt == nil {
			return
		}
		if rt.Target == "" {
			a.warnings.Addf(r.Place, "route %s has no Target: it answers Internal server error", rt.RouteKey)
		}
		if rt.APIKeyRequired && rt.RouteKey != apigw.RouteConnect { // API Gateway looks at $connect only (spec data-plane §7)
			a.warnings.Addf(a.placeOf(r, "ApiKeyRequired"), "%s: an API key is asked for on $connect only: on route %s this has no effect", r.LogicalID, rt.RouteKey)
		}
		a.warnOfModels(r, rt)
	}
}

// warnOfLogFormat tells of variables in a stage's access-log format that never have a value.
func (a *application) warnOfLogFormat(r *cfn.Resource, s *apigw.Stage) {
	if s == nil || s.AccessLogSettings == nil {
		return
	}
	f, err := logformat.Parse(s.AccessLogSettings.Format)
	if err != nil {
		return // a fault, or no format
	}
	for _, name := range f.Unknown() {
		a.warnings.Addf(a.placeOf(r, "AccessLogSettings"), "stage %s: its access-log format: there is no variable $context.%s: it prints -", s.StageName, name)
	}
}

// inOrder sorts faults by place; what was told twice is told once.
func inOrder(faults cfn.Faults) cfn.Faults {
	slices.SortStableFunc(faults, func(x, y cfn.Fault) int {
		return cmp.Or(strings.Compare(x.Place.File, y.Place.File), x.Place.Line-y.Place.Line)
	})
	var out cfn.Faults
	for _, f := range faults {
		if !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	return out
}

package variable

import (
	"fmt"
	"strings"
	"time"

	"cleat/internal/awsapi"
	"cleat/internal/cfn"
	"cleat/internal/input"
)

// DefaultStage is the stage of a project that names none.
const DefaultStage = "dev"

// Options say what the command line and the process give to variables. The zero value is nothing.
type Options struct {
	Stage  string            // empty: the project's own
	Region string            // empty: the project's own
	Params map[string]string // of ${param:…}, and under whole addresses of what only AWS or another tool could say
	Opt    map[string]string // of ${opt:…}, stage and region aside
	Env    map[string]string // the environment of the process
	// EnvFile is a further file of variables, which comes before Env. Empty: none.
	EnvFile string
	// NodePath is the Node that runs JavaScript files. Empty: the one in Env's PATH.
	NodePath string
}

// Scope is what all variables of one reading of a project have in common. JavaScript files are run once for all of them.
type Scope struct {
	*input.Reading
	Options

	programs    map[string]*program // that were run
	programTime time.Duration       // that each may take
	badRegion   string              // has its fault
}

// NewScope returns the scope of a reading.
func NewScope(r *input.Reading, o Options) *Scope {
	return &Scope{Reading: r, Options: o, programs: map[string]*program{}, programTime: maxProgramTime}
}

// CheckRegion faults a region that cannot be one: ARNs made of it would be none. The one of the command line has no other
// place than that.
func (s *Scope) CheckRegion(region string, at cfn.Place) {
	if awsapi.IsRegion(region) || region == s.badRegion {
		return
	}
	s.badRegion = region
	if s.Region != "" {
		at = cfn.Place{File: "--region"}
	}
	s.Faultf(at, "region: %q is not a region, such as eu-west-1", region)
}

// Resolver replaces the variables of a project file. It works on demand: what nobody asks for is never resolved, so an
// ${ssm:…} in a section without meaning here troubles nobody.
//
// There are two depths. Value resolves one node: a text with variables becomes what it stands for, whose own inside may
// still hold variables. Deep resolves a whole tree. Both remember what is under way, to find circles.
type Resolver struct {
	// Stage is that of ${sls:stage}; empty while the stage itself is being found out.
	Stage string
	// Given are addresses of ${self:…} whose value the command line decides, such as provider.stage.
	Given map[string]string

	scope *Scope
	root  *cfn.Value
	env   map[string]string // of ${env:…}
	// lenient leaves variables that only AWS could answer as they are, with a warning: for values that have no effect here.
	lenient bool

	memo   map[memoKey]*cfn.Value
	busy   []*cfn.Value // texts under way, outermost first
	path   map[*cfn.Value]bool
	final  map[*cfn.Value]bool     // texts that are results: what looks like a variable in them is none
	broken map[*cfn.Value]breakage // stand-ins for what could not be resolved
	nodes  int
	bytes  int
}

// breakage is why a value could not be had. It becomes a fault only when somebody wants the value: a default may take
// its place.
type breakage struct {
	fault cfn.Fault
	// hard breakages are mistakes that no default covers up: circles, syntax.
	hard bool
}

type memoKey struct {
	v       *cfn.Value
	lenient bool
}

const (
	maxResolvedNodes = 200_000
	maxResolvedBytes = 32 << 20
	maxResolvedDepth = 200
)

// Resolver returns a resolver of the variables in a document, of which ${self:…} speaks. env answers ${env:…}.
func (s *Scope) Resolver(root *cfn.Value, env map[string]string) *Resolver {
	return &Resolver{
		scope: s, root: root, env: env, Given: map[string]string{},
		memo: map[memoKey]*cfn.Value{}, path: map[*cfn.Value]bool{}, final: map[*cfn.Value]bool{}, broken: map[*cfn.Value]breakage{},
	}
}

// fail returns a value that stands for what is written wrongly; see breakage.
func (r *Resolver) fail(at cfn.Place, format string, args ...any) *cfn.Value {
	v := &cfn.Value{Place: at}
	r.broken[v] = breakage{cfn.Fault{Place: at, Message: fmt.Sprintf(format, args...)}, true}
	return v
}

// absent returns a value that stands for what has no value; see breakage.
func (r *Resolver) absent(at cfn.Place, format string, args ...any) *cfn.Value {
	v := r.fail(at, format, args...)
	r.broken[v] = breakage{fault: r.broken[v].fault}
	return v
}

// IsBroken reports whether a value stands for what could not be resolved.
func (r *Resolver) IsBroken(v *cfn.Value) bool {
	_, ok := r.broken[v]
	return ok
}

// report makes a fault of a breakage, for somebody who wants the value, and reports whether it was one.
func (r *Resolver) report(v *cfn.Value) bool {
	b, ok := r.broken[v]
	if ok && b.fault.Message != "" {
		r.scope.Faultf(b.fault.Place, "%s", b.fault.Message)
	}
	return ok
}

// Value resolves one node. A nil value stays nil.
func (r *Resolver) Value(v *cfn.Value) *cfn.Value {
	if !v.Is(cfn.String) || r.final[v] || !HasVariables(v.Text) {
		return v
	}
	key := memoKey{v, r.lenient}
	if done, ok := r.memo[key]; ok {
		return done
	}
	for i, b := range r.busy {
		if b == v {
			return r.fail(v.Place, "the variables refer to each other in a circle: %s", r.circle(r.busy[i:]))
		}
	}
	if len(r.busy) >= maxResolvedDepth {
		return r.fail(v.Place, "variables refer to variables more than %d deep", maxResolvedDepth)
	}
	r.busy = append(r.busy, v)
	out := r.text(v)
	r.busy = r.busy[:len(r.busy)-1]
	r.memo[key] = out
	if out.Is(cfn.String) {
		r.final[out] = true
	}
	return out
}

func (r *Resolver) circle(vs []*cfn.Value) string {
	var b strings.Builder
	for _, v := range vs {
		text := v.Text
		if len(text) > 60 {
			text = text[:60] + "…"
		}
		fmt.Fprintf(&b, "%s (%s) → ", text, v.Place)
	}
	return strings.TrimSuffix(b.String(), " → ") + ", which leads back to the first"
}

// text resolves a text value: a lone variable keeps its value's type, others are joined.
func (r *Resolver) text(v *cfn.Value) *cfn.Value {
	parts, err := parseText(v.Text)
	if err != nil {
		return r.fail(v.Place, "not a variable: %v", err)
	}
	if p := lone(parts); p != nil {
		return r.variable(p.variable, v.Place)
	}
	s, ok, broken := r.join(parts, v.Place)
	if !ok {
		return broken
	}
	return cfn.TextOf(v.Place, s)
}

// lone returns the only variable of a text that has nothing else but white space around it.
func lone(parts []part) *part {
	var found *part
	for i := range parts {
		switch {
		case parts[i].variable != nil && found == nil:
			found = &parts[i]
		case parts[i].variable != nil || strings.TrimSpace(parts[i].text) != "":
			return nil
		}
	}
	return found
}

// join makes one text of parts. When that cannot be, ok is false and broken stands for it.
func (r *Resolver) join(parts []part, at cfn.Place) (s string, ok bool, broken *cfn.Value) {
	var b strings.Builder
	for _, p := range parts {
		if p.variable == nil {
			b.WriteString(p.text)
			continue
		}
		val := r.variable(p.variable, at)
		switch {
		case r.IsBroken(val):
			return "", false, val
		case val == nil || val.Kind == cfn.Null:
			return "", false, r.fail(at, "%s is null, which cannot be put into a text: give it a default, as in ${…, ''}", p.variable.raw)
		}
		piece, scalar := val.Scalar()
		if !scalar {
			return "", false, r.fail(at, "%s is %s, which cannot be put into a text: only a text, number or boolean can", p.variable.raw, val.Kind)
		}
		b.WriteString(piece)
		r.bytes += b.Len()
		if b.Len() > maxTextSize || r.bytes > maxResolvedBytes {
			return "", false, r.fail(at, "too much text: variables make a text of more than %d MiB, or all together more than %d MiB", maxTextSize>>20, maxResolvedBytes>>20)
		}
	}
	return b.String(), true, nil
}

// found is what a source has to say.
type found struct {
	value   *cfn.Value // nil: nothing, the next source counts
	why     string     // when nothing: what would help
	outside bool       // when nothing: only AWS or another tool could answer
}

// variable resolves "${…}": the first source with a value counts.
func (r *Resolver) variable(v *variable, at cfn.Place) *cfn.Value {
	var missing []found
	for i := range v.sources {
		f := r.source(&v.sources[i], at)
		b, broken := r.broken[f.value]
		switch {
		case broken && b.hard:
			return f.value
		case broken:
			missing = append(missing, found{value: f.value, why: b.fault.Message})
			continue
		case f.value == nil || f.value.Kind == cfn.Null && i+1 < len(v.sources):
			missing = append(missing, f)
			continue
		}
		for _, m := range missing {
			if m.outside {
				r.scope.Warnf(at, "%s is not looked up: its default is taken", v.raw)
				break
			}
		}
		return f.value
	}
	return r.noValue(v, missing, at)
}

// noValue answers for a variable none of whose sources has a value.
func (r *Resolver) noValue(v *variable, missing []found, at cfn.Place) *cfn.Value {
	for i := range v.sources {
		if val := r.lastResort(&v.sources[i], v, at); val != nil {
			return val
		}
	}
	if len(missing) == 1 && missing[0].value != nil {
		return missing[0].value // what it leads to says it best
	}
	var whys []string
	for _, m := range missing {
		if m.outside && r.lenient {
			r.scope.Warnf(at, "%s is not looked up: nothing that Cleat runs depends on it", v.raw)
			return cfn.TextOf(at, v.raw)
		}
		if m.why != "" && len(whys) < 5 {
			whys = append(whys, m.why)
		}
	}
	return r.absent(at, "%s has no value: %s", v.raw, strings.Join(whys, "; "))
}

// lastResort answers for a variable that has no value where the answer is plain: which stage and region, when nobody
// said any.
func (r *Resolver) lastResort(s *source, v *variable, at cfn.Place) *cfn.Value {
	if s.kind != sourceCall || len(s.address) != 1 || s.address[0].variable != nil {
		return nil
	}
	var val string
	switch s.name + ":" + s.address[0].text {
	case "opt:stage", "self:provider.stage":
		val = DefaultStage
	case "env:AWS_REGION", "env:AWS_DEFAULT_REGION", "opt:region", "self:provider.region", "aws:region":
		val = r.region()
	default:
		return nil
	}
	r.scope.Warnf(at, "%s has no value: %q is taken", v.raw, val)
	return cfn.TextOf(at, val)
}

// Reported returns the value for somebody who wants it: that it could not be resolved becomes a fault.
func (r *Resolver) Reported(v *cfn.Value) *cfn.Value {
	r.report(v)
	return v
}

// Deep resolves a whole tree into a new one. What could not be resolved is reported.
func (r *Resolver) Deep(v *cfn.Value) *cfn.Value { return r.deepAt(v, 0) }

func (r *Resolver) deepAt(v *cfn.Value, depth int) *cfn.Value {
	if v == nil {
		return nil
	}
	if r.nodes++; r.nodes > maxResolvedNodes || depth > maxResolvedDepth {
		return r.Reported(r.fail(cfn.Place{File: v.Place.File}, "the variables make too large a tree: at most %d values, %d deep", maxResolvedNodes, maxResolvedDepth))
	}
	raw := v
	v = r.Reported(r.Value(v))
	if v == nil || v.Kind != cfn.List && v.Kind != cfn.Map {
		return v
	}
	if r.path[v] {
		return r.Reported(r.fail(raw.Place, "the variables refer to each other in a circle: this part of the file holds itself"))
	}
	r.path[v] = true
	defer delete(r.path, v)
	out := &cfn.Value{Kind: v.Kind, Place: v.Place}
	for _, item := range v.Items {
		out.Items = append(out.Items, r.deepAt(item, depth+1))
	}
	for _, e := range v.Keys {
		out.Keys = append(out.Keys, cfn.Entry{Key: e.Key, Place: e.Place, Value: r.deepAt(e.Value, depth+1)})
	}
	return out
}

// Get is at for somebody who wants the value: what could not be resolved is reported.
func (r *Resolver) Get(v *cfn.Value, keys ...string) *cfn.Value { return r.Reported(r.At(v, keys...)) }

// Leniently runs f with lenient set.
func (r *Resolver) Leniently(f func()) {
	old := r.lenient
	r.lenient = true
	f()
	r.lenient = old
}

// At walks an address, resolving every node on the way, the last one included but not its inside. Nil is absent.
func (r *Resolver) At(v *cfn.Value, keys ...string) *cfn.Value {
	v = r.Value(v)
	for _, k := range keys {
		var next *cfn.Value
		switch {
		case v.Is(cfn.Map):
			next = v.Get(k)
		case v.Is(cfn.List):
			next = item(v, k)
		}
		if next == nil {
			if r.IsBroken(v) {
				return v
			}
			return nil
		}
		v = r.Value(next)
	}
	return v
}

func item(v *cfn.Value, key string) *cfn.Value {
	n := 0
	for _, c := range key {
		if c < '0' || c > '9' || n > len(v.Items) {
			return nil
		}
		n = n*10 + int(c-'0')
	}
	if key == "" || n >= len(v.Items) {
		return nil
	}
	return v.Items[n]
}

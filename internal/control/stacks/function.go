package stacks

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/cfn"
	"cleat/internal/draft"
	"cleat/internal/store"
)

// functionProperties are what a function of this machine is made of. The others are for AWS alone.
type functionProperties struct {
	FunctionName                 string `json:"functionName"`
	Runtime                      string `json:"runtime"`
	Handler                      string `json:"handler"`
	Description                  string `json:"description"`
	Timeout                      int    `json:"timeout"`    // seconds
	MemorySize                   int    `json:"memorySize"` // MB
	ReservedConcurrentExecutions int    `json:"reservedConcurrentExecutions"`
	Environment                  struct {
		Variables map[string]string `json:"variables"`
	} `json:"environment"`
}

var functionPropertyNames = []string{"FunctionName", "Runtime", "Handler", "Description", "Timeout", "MemorySize", "ReservedConcurrentExecutions", "Environment"}

// addFunction takes in an AWS::Lambda::Function whose code is on this machine; Code.LocalPath and CleatSHA256 are Cleat's own.
func (a *application) addFunction(r *cfn.Resource) {
	// The rest is not evaluated: it may hold what only AWS knows.
	v, ok := a.evaluate(only(r.Properties, append([]string{"Code"}, functionPropertyNames...)))
	if !ok {
		return
	}
	code := v.Get("Code")
	path, local := code.Get("LocalPath").Scalar()
	sha, uploaded := code.Get("CleatSHA256").Scalar()
	if !local && !uploaded {
		// A template that project made has said so already, in terms of what its author wrote.
		if r.Metadata.Get("cleat") == nil {
			a.warnings.Addf(r.Place, "function %s: its code is not a folder of this machine, so it is not run here: calls of it fail unless remoteFunctions in cleat.yaml says where it runs", r.LogicalID)
		}
		return
	}
	name, err := a.physicalName(r, "FunctionName")
	if err != nil {
		return // evaluate has told why
	}
	var p functionProperties
	cfn.Decode(v, functionPropertyNames, &p, r.LogicalID, &a.faults)
	a.checkCode(r, path, sha)
	p.spoilZeros(v)
	place := r.Metadata.Path("cleat", "Place").Str()
	if place == "" {
		place = r.Place.String()
	}
	f := apigw.Function{
		Name: name, ARN: a.fill(r, references[r.Type].attributes[arnAttribute], name), Runtime: p.Runtime, Handler: p.Handler,
		CodeDir: path, CodeSHA256: sha, Environment: beneath(a.stack.Environment, p.Environment.Variables), Timeout: time.Duration(p.Timeout) * time.Second,
		MemorySize: p.MemorySize, Description: p.Description, Concurrency: p.ReservedConcurrentExecutions, Place: place,
		Bundle: r.Metadata.Path("cleat", "Bundle").Str() == "true",
	}
	a.report(r, draft.CheckFunction(&f))
	for _, other := range a.outcome.Functions {
		if other.Name == name {
			a.faults.Addf(a.placeOf(r, "FunctionName"), "function name %s is taken: %s has it too", name, other.Place)
			return
		}
	}
	for _, variable := range slices.Sorted(maps.Keys(f.Environment)) {
		if strings.Contains(f.Environment[variable], "{{resolve:") {
			a.warnings.Addf(a.placeOf(r, "Environment"), "%s: the variable %s is a dynamic reference, which only AWS resolves: the function gets it as it is written", r.LogicalID, variable)
		}
	}
	a.own(r.LogicalID, store.Functions().Key(name).String())
	a.functionPlaces[name] = a.placeOf(r, "FunctionName")
	a.outcome.Functions = append(a.outcome.Functions, f)
}

// beneath lays variables over those that every function has.
func beneath(all, own map[string]string) map[string]string {
	if len(all) == 0 {
		return own
	}
	out := maps.Clone(all)
	maps.Copy(out, own)
	return out
}

var codeHash = regexp.MustCompile(`^[0-9a-f]{64}$`)

// checkCode checks where a function's code is: in a folder of this machine, or in a zip file that was uploaded.
func (a *application) checkCode(r *cfn.Resource, path, sha string) {
	at := a.placeOf(r, "Code")
	switch {
	case path != "" && sha != "":
		a.faults.Addf(at, "%s: Code has LocalPath and CleatSHA256: only one of them can say where the code is", r.LogicalID)
	case sha != "" && !codeHash.MatchString(sha):
		a.faults.Addf(at, "%s: Code.CleatSHA256 must be the SHA-256 of a zip file, 64 hexadecimal digits in lower case, not %q", r.LogicalID, sha)
	case sha != "":
		if a.stack.HasCode != nil && !a.stack.DryRun && !a.stack.HasCode(sha) { // who asks for the plan will send the code later
			a.faults.Addf(at, "%s: its code (%s) has not been uploaded to this node: PUT /_cleat/code/%s does", r.LogicalID, sha, sha)
		}
	case a.stack.HasCode != nil:
		a.faults.Addf(at, "%s: Code.LocalPath is a folder of the machine that the template comes from: its code must be uploaded, and named by CleatSHA256", r.LogicalID)
	case !filepath.IsAbs(path):
		a.faults.Addf(at, "%s: Code.LocalPath must be an absolute path, not %q", r.LogicalID, path)
	}
}

// spoilZeros makes of a zero that the template writes a number that is wrong: one that it leaves out means the default.
func (p *functionProperties) spoilZeros(v *cfn.Value) {
	if v.Get("Timeout") != nil && p.Timeout == 0 {
		p.Timeout = -1
	}
	if v.Get("MemorySize") != nil && p.MemorySize == 0 {
		p.MemorySize = -1
	}
}

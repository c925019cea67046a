package lambdaapi

import (
	"encoding/json"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/control/functions"
	"cleat/internal/controlapi"
	"cleat/internal/store"
)

// definition is what CreateFunction and UpdateFunctionConfiguration have in common. An absent member is nil.
type definition struct {
	Runtime     *string      `json:"Runtime"`
	Role        *string      `json:"Role"`
	Handler     *string      `json:"Handler"`
	Description *string      `json:"Description"`
	Timeout     *int         `json:"Timeout"`
	MemorySize  *int         `json:"MemorySize"`
	Environment *environment `json:"Environment"`
	settings
}

// apply changes what the request has.
func (d *definition) apply(f *apigw.Function) error {
	for _, text := range []struct{ to, from *string }{{&f.Runtime, d.Runtime}, {&f.Role, d.Role}, {&f.Handler, d.Handler}, {&f.Description, d.Description}} {
		if text.from != nil {
			*text.to = *text.from
		}
	}
	// A zero that is written is no default, and no number that could be right.
	if d.Timeout != nil {
		if f.Timeout = time.Duration(*d.Timeout) * time.Second; f.Timeout == 0 {
			f.Timeout = -1
		}
	}
	if d.MemorySize != nil {
		if f.MemorySize = *d.MemorySize; f.MemorySize == 0 {
			f.MemorySize = -1
		}
	}
	if d.Environment != nil {
		f.Environment = d.Environment.Variables
	}
	return d.keep(f)
}

func (s *service) createFunction(c *controlapi.Call) (controlapi.Answer, error) {
	var in struct {
		FunctionName string
		Code         code
		PackageType  string
		Publish      bool
		Tags         map[string]string
		definition
	}
	if err := c.JSON(&in); err != nil {
		return controlapi.Answer{}, err
	}
	at, err := s.target(c, in.FunctionName)
	switch {
	case err != nil:
		return controlapi.Answer{}, err
	case at.qualifier != "":
		return controlapi.Answer{}, invalid("FunctionName %q: a function is made without a qualifier", in.FunctionName)
	case in.PackageType == "Image":
		in.Code.ImageURI = or(in.Code.ImageURI, "an image")
	case in.Role == nil || *in.Role == "":
		return controlapi.Answer{}, invalid("Role is required. Cleat asks nothing of it: any role's ARN will do, such as arn:aws:iam::%s:role/function", c.Account)
	}
	f := apigw.Function{Name: at.name, ARN: at.arn, Tags: in.Tags}
	if err := in.apply(&f); err != nil {
		return controlapi.Answer{}, err
	}
	// What is wrong with the rest is told before its code is taken in.
	if err := s.Functions.Creatable(c.Context, &f); err != nil {
		return controlapi.Answer{}, err
	}
	if err := s.take(c.Context, &in.Code, &f); err != nil {
		return controlapi.Answer{}, err
	}
	made, err := s.Functions.Create(c.Context, f, in.Publish)
	if err != nil {
		return controlapi.Answer{}, err
	}
	answer := controlapi.Created(configurationOf(&made, made.Version))
	answer.Made = at.arn
	return answer, nil
}

func (s *service) listFunctions(c *controlapi.Call) (controlapi.Answer, error) {
	trees, err := s.Functions.All(c.Context)
	if err != nil {
		return controlapi.Answer{}, err
	}
	all := []configuration{}
	for _, t := range trees {
		if c.Query("FunctionVersion") == "ALL" {
			all = append(all, versions(t)...)
		} else {
			all = append(all, configurationOf(&t.Function, ""))
		}
	}
	part, next, err := page(c, all, func(f *configuration) string { return f.FunctionArn })
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.OK(struct {
		Functions  []configuration
		NextMarker string `json:",omitempty"`
	}{part, next}), nil
}

// resolved returns what a call's function and qualifier stand for. Templates do not say how large a function's code is.
func (s *service) resolved(c *controlapi.Call) (target, *store.FunctionTree, *apigw.Function, error) {
	at, t, err := s.tree(c)
	if err != nil {
		return at, nil, nil, err
	}
	f, err := functions.Resolve(t, at.qualifier)
	if err == nil && f.CodeSHA256 != "" && f.CodeSize == 0 {
		if kept, err := s.Code.Stat(f.CodeSHA256); err == nil {
			f.CodeSize = kept.Size
		}
	}
	return at, t, f, err
}

// codeLocation is where a function's code is.
type codeLocation struct {
	RepositoryType string `json:"RepositoryType"`
	Location       string `json:"Location"`
}

func (s *service) getFunction(c *controlapi.Call) (controlapi.Answer, error) {
	at, t, f, err := s.resolved(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	location := codeLocation{"local", f.CodeDir}
	if f.CodeSHA256 != "" {
		location.Location = s.Code.Path(f.CodeSHA256)
	}
	return controlapi.OK(struct {
		Configuration configuration
		Code          codeLocation
		Tags          map[string]string `json:",omitempty"`
		Concurrency   *concurrency      `json:",omitempty"`
	}{configurationOf(f, at.qualifier), location, t.Function.Tags, concurrencyOf(&t.Function)}), nil
}

func (s *service) getConfiguration(c *controlapi.Call) (controlapi.Answer, error) {
	at, _, f, err := s.resolved(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.OK(configurationOf(f, at.qualifier)), nil
}

// latest is the function that a call changes, which it must name without a version.
func (s *service) latest(c *controlapi.Call) (target, error) {
	at, err := s.target(c, c.Path("FunctionName"))
	if err == nil && at.qualifier != "" && at.qualifier != apigw.VersionLatest {
		err = invalid("This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN.")
	}
	return at, err
}

func (s *service) updateConfiguration(c *controlapi.Call) (controlapi.Answer, error) {
	var in struct {
		RevisionID string `json:"RevisionId"`
		definition
	}
	if err := c.JSON(&in); err != nil {
		return controlapi.Answer{}, err
	}
	at, err := s.latest(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	in.Architectures, in.CodeSigningConfigArn = nil, nil // not this operation's
	f, err := s.Functions.Update(c.Context, at.name, at.arn, in.RevisionID, in.apply)
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.OK(configurationOf(&f, "")), nil
}

func (s *service) updateCode(c *controlapi.Call) (controlapi.Answer, error) {
	var in struct {
		code
		Architectures json.RawMessage
		DryRun        bool
		Publish       bool
		RevisionID    string `json:"RevisionId"`
	}
	if err := c.JSON(&in); err != nil {
		return controlapi.Answer{}, err
	}
	at, err := s.latest(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	t, err := s.Functions.Tree(c.Context, at.name, at.arn) // before the code is taken in
	if err != nil {
		return controlapi.Answer{}, err
	}
	f := t.Function
	if err := s.take(c.Context, &in.code, &f); err != nil {
		return controlapi.Answer{}, err
	}
	if in.DryRun {
		return controlapi.OK(configurationOf(&f, "")), nil
	}
	f, err = s.Functions.Update(c.Context, at.name, at.arn, in.RevisionID, func(now *apigw.Function) error {
		now.CodeDir, now.CodeSHA256, now.CodeSize = f.CodeDir, f.CodeSHA256, f.CodeSize
		return (&settings{Architectures: in.Architectures}).keep(now)
	})
	if err == nil && in.Publish {
		f, err = s.Functions.Publish(c.Context, at.name, at.arn, functions.Publication{})
	}
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.OK(configurationOf(&f, f.Version)), nil
}

func (s *service) deleteFunction(c *controlapi.Call) (controlapi.Answer, error) {
	at, err := s.target(c, c.Path("FunctionName"))
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.NoContent(), s.Functions.Delete(c.Context, at.name, at.arn, at.qualifier)
}

func (s *service) getAccountSettings(c *controlapi.Call) (controlapi.Answer, error) {
	trees, err := s.Functions.All(c.Context)
	if err != nil {
		return controlapi.Answer{}, err
	}
	var used int64
	for _, t := range trees {
		used += t.Function.CodeSize
		for i := range t.Versions {
			used += t.Versions[i].CodeSize
		}
	}
	return controlapi.OK(map[string]map[string]int64{
		"AccountLimit": {
			"TotalCodeSize": 75 << 30, "CodeSizeUnzipped": apigw.QuotaFunctionCode, "CodeSizeZipped": apigw.QuotaFunctionZip,
			"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000,
		},
		"AccountUsage": {"TotalCodeSize": used, "FunctionCount": int64(len(trees))},
	}), nil
}

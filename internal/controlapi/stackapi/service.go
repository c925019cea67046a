// Package stackapi is Cleat's own API for whole templates: "cleat apply" sends one, and gets the plan and what came of it.
//
//	PUT    /_cleat/stacks/{name}?dryRun=true   Request → Result
//	GET    /_cleat/stacks                      → List
//	GET    /_cleat/stacks/{name}               → Description
//	DELETE /_cleat/stacks/{name}?dryRun=true   → Result
//
// Requests are signed for the service "cleat"; policies name the actions cleat:ApplyStack, ReadStack and DeleteStack, and
// arn:{partition}:cleat:{region}:{account}:stack/{name}. What a template may hold, and what it changes, is package stacks'.
package stackapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/cfn"
	"cleat/internal/control/stacks"
	"cleat/internal/controlapi"
	"cleat/internal/store"
)

// ServiceName is the service in the scope of signatures.
const ServiceName = "cleat"

// maxBody bounds a template with its places, in bytes. CloudFormation takes 1 MB.
const maxBody = 16 << 20

// Options are what the service needs of the node.
type Options struct {
	// Check and Settle are as in stacks.Stack.
	Check  func(store.Serving) error
	Settle func(context.Context) error
	// HasCode tells whether a zip file of that SHA-256 has been uploaded. Nil: none ever has.
	HasCode func(sha256 string) bool
	// Addresses are the URLs at which clients reach a stage. Nil: nobody knows.
	Addresses func(api apigw.APIID, stage string) []string
}

type service struct {
	stacks *stacks.Stacks
	o      Options
}

// Service returns the API of the stacks that t keeps.
func Service(t *stacks.Stacks, o Options) controlapi.Service {
	if o.HasCode == nil {
		o.HasCode = func(string) bool { return false }
	}
	if o.Addresses == nil {
		o.Addresses = func(apigw.APIID, string) []string { return nil }
	}
	s := &service{t, o}
	one, all := resource("{name}"), resource("*")
	return controlapi.Service{Name: ServiceName, WriteError: writeError, Operations: []controlapi.Operation{
		{Name: "ApplyStack", Method: http.MethodPut, Path: "/_cleat/stacks/{name}", Action: "cleat:ApplyStack", Resource: one, Changes: true, MaxBody: maxBody, Do: s.apply},
		{Name: "ListStacks", Method: http.MethodGet, Path: "/_cleat/stacks", Action: "cleat:ReadStack", Resource: all, Do: s.list},
		{Name: "DescribeStack", Method: http.MethodGet, Path: "/_cleat/stacks/{name}", Action: "cleat:ReadStack", Resource: one, Do: s.describe},
		{Name: "DeleteStack", Method: http.MethodDelete, Path: "/_cleat/stacks/{name}", Action: "cleat:DeleteStack", Resource: one, Changes: true, Do: s.delete},
	}}
}

func resource(name string) func(*controlapi.Call) string {
	return func(c *controlapi.Call) string {
		return "arn:" + c.Partition + ":cleat:" + c.Region + ":" + c.Account + ":stack/" + c.Expand(name)
	}
}

var stackName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,127}$`)

// nameOf is the stack of a call. Its policies were asked for this very name, so it is not mended.
func nameOf(c *controlapi.Call) (string, error) {
	name := c.Path("name")
	if !stackName.MatchString(name) || stacks.Name(name) != name {
		return "", badRequest("Invalid stack name: want a letter, then at most 127 letters, digits and -, the last no -")
	}
	return name, nil
}

func badRequest(text string) error { return &apigw.Error{Kind: apigw.KindBadRequest, Message: text} }

// dryRun reads the parameter of that name.
func dryRun(c *controlapi.Call) (bool, error) {
	switch c.Query("dryRun") {
	case "true":
		return true, nil
	case "", "false":
		return false, nil
	}
	return false, badRequest("dryRun must be true or false")
}

func (s *service) stack(c *controlapi.Call) (stacks.Stack, error) {
	name, err := nameOf(c)
	if err != nil {
		return stacks.Stack{}, err
	}
	dry, err := dryRun(c)
	return stacks.Stack{
		Name: name, Region: c.Region, Account: c.Account, DryRun: dry, Check: s.o.Check, Settle: s.o.Settle, HasCode: s.o.HasCode,
	}, err
}

func (s *service) apply(c *controlapi.Call) (controlapi.Answer, error) {
	stack, err := s.stack(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	q, err := ReadRequest(c.Body)
	if err != nil {
		return controlapi.Answer{}, err
	}
	stack.Template, stack.Parameters, stack.Environment = q.template, q.Parameters, q.Environment
	if q.Region != "" {
		if !awsapi.IsRegion(q.Region) {
			return controlapi.Answer{}, badRequest("Invalid region: want one such as eu-west-1")
		}
		stack.Region = q.Region
	}
	out, err := s.stacks.Apply(c.Context, stack)
	if err != nil {
		return controlapi.Answer{}, explain(err)
	}
	return controlapi.OK(s.result(stack, out)), nil
}

func (s *service) delete(c *controlapi.Call) (controlapi.Answer, error) {
	stack, err := s.stack(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	out, err := s.stacks.Delete(c.Context, stack)
	if err != nil {
		return controlapi.Answer{}, explain(err)
	}
	return controlapi.OK(s.result(stack, out)), nil
}

func (s *service) list(c *controlapi.Call) (controlapi.Answer, error) {
	names, err := s.stacks.Names(c.Context)
	if err != nil {
		return controlapi.Answer{}, err
	}
	list := List{Stacks: []Summary{}}
	for _, name := range names {
		list.Stacks = append(list.Stacks, Summary{Name: name})
	}
	return controlapi.OK(list), nil
}

func (s *service) describe(c *controlapi.Call) (controlapi.Answer, error) {
	name, err := nameOf(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	d, err := s.stacks.Describe(c.Context, name)
	if err != nil {
		return controlapi.Answer{}, err
	}
	out := Description{Name: d.Name, Resources: d.Resources, Outputs: d.Outputs}
	for _, st := range d.Stages {
		out.Stages = append(out.Stages, Stage{APIID: string(st.APIID), Name: st.Stage, Addresses: s.o.Addresses(st.APIID, st.Stage)})
	}
	return controlapi.OK(out), nil
}

// result tells what came of a stack.
func (s *service) result(stack stacks.Stack, out stacks.Outcome) Result {
	r := Result{
		Name: stack.Name, DryRun: stack.DryRun, Changes: out.Changes, Outputs: out.Outputs, LeftAlone: out.LeftAlone,
		Warnings: faultsOf(out.Warnings),
	}
	if r.Changes == nil {
		r.Changes = []stacks.Change{}
	}
	for i := range out.APIs {
		api := &out.APIs[i]
		for _, name := range api.Stages {
			r.Stages = append(r.Stages, Stage{APIID: string(api.ID), API: api.Name, Name: name, Addresses: s.o.Addresses(api.ID, name)})
		}
	}
	for i := range out.Tables {
		r.Tables = append(r.Tables, out.Tables[i].Name)
	}
	for _, k := range out.APIKeys {
		key := APIKey{Name: k.Name, ID: k.ID}
		if k.Generated && !stack.DryRun {
			key.Value = k.Value // nobody else can say it
		}
		r.APIKeys = append(r.APIKeys, key)
	}
	return r
}

// explain makes the errors of stacks such that their sender sees what is wrong.
func explain(err error) error {
	if faults, ok := errors.AsType[cfn.Faults](err); ok {
		return &apigw.Error{Kind: apigw.KindBadRequest, Message: faults.Error(), Err: faults}
	}
	if undone, ok := errors.AsType[*stacks.UndoneError](err); ok { // sent again it would only fail again
		return &apigw.Error{Kind: apigw.KindBadRequest, Message: undone.Error(), Err: undone}
	}
	return err
}

// writeError answers with the faults of a template beside the message.
func writeError(w http.ResponseWriter, err error, id apigw.RequestID) {
	faults, ok := errors.AsType[cfn.Faults](err)
	if !ok {
		awsapi.WriteError(w, err, id)
		return
	}
	body, err := json.Marshal(struct {
		Message string  `json:"message"`
		Faults  []Fault `json:"faults"`
	}{faults.Error(), faultsOf(faults)})
	if err != nil { // not reached: texts and numbers
		awsapi.WriteError(w, err, id)
		return
	}
	h := w.Header()
	awsapi.SetRequestIDs(h, id)
	h["x-amzn-ErrorType"] = []string{"BadRequestException"}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write(body) // the client may be gone; nothing is left to tell it
}

// ReadRequest reads the body of ApplyStack. The error is an *apigw.Error of KindBadRequest.
func ReadRequest(body []byte) (Request, error) {
	var q Request
	if err := json.Unmarshal(body, &q); err != nil {
		return q, &apigw.Error{Kind: apigw.KindBadRequest, Message: "Invalid request body: " + strings.TrimPrefix(err.Error(), "json: "), Err: err}
	}
	v, err := cfn.Parse("template.json", q.Template)
	if err != nil {
		return q, explain(err)
	}
	if v == nil {
		return q, badRequest("Invalid request body: template must be a JSON object")
	}
	if q.Places != nil {
		if v, err = q.Places.Put(v); err != nil {
			return q, badRequest("Invalid request body: " + err.Error())
		}
	}
	q.template = v
	return q, nil
}

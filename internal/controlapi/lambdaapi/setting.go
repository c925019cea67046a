package lambdaapi

import (
	"encoding/json"
	"fmt"

	"cleat/internal/apigw"
	"cleat/internal/control/functions"
	"cleat/internal/controlapi"
)

// concurrency is what a function has reserved.
type concurrency struct {
	ReservedConcurrentExecutions int
}

func concurrencyOf(f *apigw.Function) *concurrency {
	switch f.Concurrency {
	case 0:
		return nil
	case apigw.NoConcurrency:
		return &concurrency{0}
	}
	return &concurrency{f.Concurrency}
}

func (s *service) getConcurrency(c *controlapi.Call) (controlapi.Answer, error) {
	_, t, err := s.tree(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	if reserved := concurrencyOf(&t.Function); reserved != nil {
		return controlapi.OK(reserved), nil
	}
	return controlapi.OK(struct{}{}), nil
}

func (s *service) putConcurrency(c *controlapi.Call) (controlapi.Answer, error) {
	var in struct{ ReservedConcurrentExecutions *int }
	if err := c.JSON(&in); err != nil {
		return controlapi.Answer{}, err
	}
	if n := in.ReservedConcurrentExecutions; n == nil || *n < 0 {
		return controlapi.Answer{}, invalid("ReservedConcurrentExecutions must be a number from 0")
	}
	f, err := s.set(c, func(f *apigw.Function) error {
		if f.Concurrency = *in.ReservedConcurrentExecutions; f.Concurrency == 0 {
			f.Concurrency = apigw.NoConcurrency
		}
		return nil
	})
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.OK(concurrencyOf(&f)), nil
}

func (s *service) deleteConcurrency(c *controlapi.Call) (controlapi.Answer, error) {
	_, err := s.set(c, func(f *apigw.Function) error { f.Concurrency = 0; return nil })
	return controlapi.NoContent(), err
}

// set changes a function that a call names without a version.
func (s *service) set(c *controlapi.Call, edit func(*apigw.Function) error) (apigw.Function, error) {
	at, err := s.latest(c)
	if err != nil {
		return apigw.Function{}, err
	}
	return s.Functions.Update(c.Context, at.name, at.arn, "", edit)
}

func (s *service) getRuntimeManagement(c *controlapi.Call) (controlapi.Answer, error) {
	_, _, f, err := s.resolved(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.OK(map[string]string{"FunctionArn": f.ARN, "UpdateRuntimeOn": "Auto"}), nil
}

// absent answers for what functions do not have here.
func (s *service) absent(message string) func(*controlapi.Call) (controlapi.Answer, error) {
	return func(c *controlapi.Call) (controlapi.Answer, error) {
		_, _, f, err := s.resolved(c)
		if err == nil {
			err = &apigw.Error{Kind: apigw.KindFunctionNotFound, Message: fmt.Sprintf(message, f.ARN)}
		}
		return controlapi.Answer{}, err
	}
}

// keptOperations are those of settings that have operations of their own, and no effect here.
func (s *service) keptOperations(read, change maker) []controlapi.Operation {
	const signing, recursion = "/2020-06-30/functions/{FunctionName}/code-signing-config", "/2024-08-31/functions/{FunctionName}/recursion-config"
	return []controlapi.Operation{
		read("GetFunctionCodeSigningConfig", "GET", signing, s.getKept("CodeSigningConfigArn", nil)),
		change("PutFunctionCodeSigningConfig", "PUT", signing, s.putKept("CodeSigningConfigArn")),
		change("DeleteFunctionCodeSigningConfig", "DELETE", signing, s.deleteKept("CodeSigningConfigArn")),
		read("GetFunctionRecursionConfig", "GET", recursion, s.getKept("RecursiveLoop", json.RawMessage(`"Terminate"`))),
		change("PutFunctionRecursionConfig", "PUT", recursion, s.putKept("RecursiveLoop")),
	}
}

// getKept answers with a setting, or with otherwise where the function has none and otherwise is not nil.
func (s *service) getKept(name string, otherwise json.RawMessage) func(*controlapi.Call) (controlapi.Answer, error) {
	return func(c *controlapi.Call) (controlapi.Answer, error) {
		_, t, err := s.tree(c)
		if err != nil {
			return controlapi.Answer{}, err
		}
		out := map[string]any{"FunctionName": t.Function.Name}
		if v := t.Function.Settings[name]; v != nil {
			out[name] = v
		} else if otherwise != nil {
			out[name] = otherwise
		}
		return controlapi.OK(out), nil
	}
}

func (s *service) putKept(name string) func(*controlapi.Call) (controlapi.Answer, error) {
	return func(c *controlapi.Call) (controlapi.Answer, error) {
		var in map[string]any
		if err := c.JSON(&in); err != nil {
			return controlapi.Answer{}, err
		}
		text, ok := in[name].(string)
		if !ok || text == "" {
			return controlapi.Answer{}, invalid("%s is required", name)
		}
		value, err := json.Marshal(text)
		if err != nil {
			return controlapi.Answer{}, err
		}
		f, err := s.set(c, func(f *apigw.Function) error { return functions.Set(f, name, value) })
		if err != nil {
			return controlapi.Answer{}, err
		}
		return controlapi.OK(map[string]string{"FunctionName": f.Name, name: text}), nil
	}
}

func (s *service) deleteKept(name string) func(*controlapi.Call) (controlapi.Answer, error) {
	return func(c *controlapi.Call) (controlapi.Answer, error) {
		_, err := s.set(c, func(f *apigw.Function) error { return functions.Set(f, name, json.RawMessage("null")) })
		return controlapi.NoContent(), err
	}
}

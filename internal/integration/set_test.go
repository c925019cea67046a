package integration_test

import (
	"fmt"
	"reflect"
	"testing"

	"cleat/internal/apigw"
	"cleat/internal/integration"
)

const sharedTemplate = `#set($body = $input.path('$')){"statusCode": 200, "user": "$body.user"}`

func statusIntegration(id string) apigw.Integration {
	return apigw.Integration{
		IntegrationID: id, IntegrationType: apigw.IntegrationMock, TimeoutInMillis: 1000, RequestTemplates: map[string]string{"$default": sharedTemplate},
	}
}

// other is a value of a field that its integration does not have yet.
func other(t *testing.T, v reflect.Value) reflect.Value {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		return reflect.ValueOf(v.String() + "x").Convert(v.Type())
	case reflect.Int:
		return reflect.ValueOf(int(v.Int()) + 1)
	case reflect.Map:
		return reflect.ValueOf(map[string]string{"other": "text"})
	default:
		t.Fatalf("a field of kind %s: say here what it may be", v.Kind())
		return v
	}
}

// A Set gives the same plan to integrations that say the same, whatever they are called, and to no others.
func TestSetShares(t *testing.T) {
	response := apigw.IntegrationResponse{IntegrationResponseID: "one", IntegrationID: "first", IntegrationResponseKey: "$default"}
	set := integration.NewSet(integration.Dependencies{})
	compile := func(in apigw.Integration, r apigw.IntegrationResponse) *integration.Plan {
		p, err := set.Compile(&in, []apigw.IntegrationResponse{r})
		if err != nil {
			return nil // so is none of the others
		}
		return p
	}
	first := compile(statusIntegration("first"), response)
	if first == nil {
		t.Fatal("it does not compile")
	}
	names := map[string]bool{"IntegrationID": true, "Description": true, "IntegrationResponseID": true}
	check := func(field string, p *integration.Plan) {
		if (p == first) != names[field] {
			t.Errorf("another %s: whether the plan is shared is %t, want %t", field, p == first, names[field])
		}
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[apigw.Integration]()) {
		in := statusIntegration("first")
		v := reflect.ValueOf(&in).Elem().FieldByIndex(f.Index)
		v.Set(other(t, v))
		check(f.Name, compile(in, response))
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[apigw.IntegrationResponse]()) {
		r := response
		v := reflect.ValueOf(&r).Elem().FieldByIndex(f.Index)
		v.Set(other(t, v))
		check(f.Name, compile(statusIntegration("first"), r))
	}
	in := statusIntegration("first")
	if p, err := set.Compile(&in, nil); err != nil || p == first {
		t.Errorf("without a response the plan is shared: %t, %v", p == first, err)
	}
}

// Texts that JSON cannot tell apart stay apart.
func TestSetInvalidText(t *testing.T) {
	set := integration.NewSet(integration.Dependencies{})
	for _, text := range []string{"{\"statusCode\": 200} \xff", "{\"statusCode\": 200} \xfe", "{\"statusCode\": 200} \ufffd"} {
		in := statusIntegration("i")
		in.RequestTemplates["$default"] = text
		p, err := set.Compile(&in, nil)
		if err != nil {
			t.Fatal(err)
		}
		// It is no status, but what was rendered is told all the same.
		if res, err := p.Do(t.Context(), testEvent(apigw.EventMessage), new(integration.Room)); string(res.Request) != text {
			t.Errorf("got %q, want %q, %v", res.Request, text, err)
		}
	}
}

// What different integrations have in common is parsed once.
func TestSetAllocates(t *testing.T) {
	const n = 100
	all := make([]apigw.Integration, n)
	for i := range all {
		all[i] = statusIntegration(fmt.Sprintf("i%d", i))
		all[i].TimeoutInMillis = 1000 + i
	}
	compile := func(each int) float64 { // that many by a set
		return testing.AllocsPerRun(3, func() {
			var set *integration.Set
			for i := range all {
				if i%each == 0 {
					set = integration.NewSet(integration.Dependencies{})
				}
				if _, err := set.Compile(&all[i], nil); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	together, apart := compile(n), compile(1)
	if together > apart/2 {
		t.Errorf("%v allocations by one set, %v by a set each", together, apart)
	}
}

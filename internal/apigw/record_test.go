package apigw_test

import (
	"testing"

	"cleat/internal/apigw"
)

// What Clone returns shares nothing that is used again with the record.
func TestRecordClone(t *testing.T) {
	make1 := func() *apigw.Record {
		return &apigw.Record{
			Operation: "message", Request: []byte("request"), Response: []byte("response"), Reply: []byte("reply"), BytesIn: 4,
			Event: &apigw.Event{Body: []byte("body"), Context: apigw.RequestContext{Stage: "prod"}},
		}
	}
	r := make1()
	got := r.Clone()
	for _, b := range [][]byte{r.Request, r.Response, r.Reply, r.Event.Body} {
		clear(b)
	}
	*r.Event = apigw.Event{}
	*r = apigw.Record{}
	texts := func(r *apigw.Record) [6]string {
		return [6]string{r.Operation, string(r.Request), string(r.Response), string(r.Reply), string(r.Event.Body), r.Event.Context.Stage}
	}
	if got, want := texts(got), texts(make1()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := (&apigw.Record{Operation: "post"}).Clone(); got.Event != nil || got.Reply != nil {
		t.Errorf("got %+v", got)
	}
}

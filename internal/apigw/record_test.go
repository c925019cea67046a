package apigw_test

import (
	"reflect"
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
	if want := make1(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v with %+v, want %+v with %+v", got, got.Event, want, want.Event)
	}
	if got := (&apigw.Record{Operation: "post"}).Clone(); got.Event != nil || got.Reply != nil {
		t.Errorf("got %+v", got)
	}
}

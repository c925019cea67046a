package server

import (
	"net/http"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
)

// serveEvents streams events to who may list the connections that they tell of.
func (n *node) serveEvents(w http.ResponseWriter, r *http.Request) {
	if err := n.gateway.AuthorizeEvents(r); err != nil {
		awsapi.WriteError(w, err, apigw.NewRequestID())
		return
	}
	n.events.ServeHTTP(w, r)
}

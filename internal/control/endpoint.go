package control

import "cleat/internal/apigw"

// showEndpoint puts the endpoint of the moment into an API that was read: what was stored may be of a node with another
// domain.
func (c *Control) showEndpoint(api *apigw.API) {
	if c.o.Endpoint != nil {
		api.APIEndpoint = c.o.Endpoint(api.APIID)
	}
}

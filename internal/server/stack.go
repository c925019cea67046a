package server

import (
	"context"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/controlapi"
	"cleat/internal/controlapi/stackapi"
	"cleat/internal/gateway"
)

// stackService is the API of whole templates. A template is compiled as the gateway would before it is committed; reload then makes
// this node serve it, and what it cannot serve is taken back.
func (n *node) stackService(reload func(context.Context) error) controlapi.Service {
	hasCode := func(sha string) bool {
		_, err := n.code.Stat(sha)
		return err == nil
	}
	return stackapi.Service(n.stacks, stackapi.Options{Check: gateway.Compile, Settle: reload, HasCode: hasCode, Addresses: n.addresses})
}

// addressesAt makes the URLs of stages on a node that clients find at the given ones, in the form that holds whatever else it
// serves.
func addressesAt(nodes []string) func(apigw.APIID, string) []string {
	return func(api apigw.APIID, stage string) []string {
		var out []string
		for _, n := range nodes {
			if strings.Contains(n, "://") { // a Unix socket is no URL
				out = append(out, n+"/"+string(api)+"/"+stage)
			}
		}
		return out
	}
}

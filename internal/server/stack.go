package server

import (
	"context"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/controlapi"
	"cleat/internal/controlapi/stackapi"
	"cleat/internal/gateway"
)

// stacks is the API of whole templates. A template is compiled as the gateway would before it is committed; reload then makes
// this node serve it, and what it cannot serve is taken back.
func (n *node) stacks(reload func(context.Context) error) controlapi.Service {
	hasCode := func(sha string) bool {
		_, err := n.code.Stat(sha)
		return err == nil
	}
	return stackapi.Service(n.control, stackapi.Options{Check: gateway.Compile, Settle: reload, HasCode: hasCode, Addresses: n.addresses})
}

// addresses are the URLs of a stage on this node, in the form that holds whatever else it serves.
func (n *node) addresses(api apigw.APIID, stage string) []string {
	return []string{"ws" + strings.TrimPrefix(n.own, "http") + "/" + string(api) + "/" + stage}
}

package gateway

import (
	"sync/atomic"

	"cleat/internal/apigw"
)

// excesses counts what AWS would have refused (design: limits, profile "open").
type excesses [apigw.Excesses]atomic.Uint64

// Excess is how often this node has allowed what AWS would have refused.
func (g *Gateway) Excess(e apigw.Excess) uint64 { return g.excesses[e].Load() }

// exceed counts an excess; the first of its kind is logged, so that nobody is surprised on the day of deployment.
func (g *Gateway) exceed(e apigw.Excess) {
	if g.excesses[e].Add(1) == 1 {
		g.log.Warn("AWS would have refused this; more of the kind are counted and not logged", "what", e.String())
	}
}

// compare counts what AWS would have refused of a message, whichever way it goes.
func (g *Gateway) compare(bytes int, binary bool) {
	if bytes > apigw.QuotaMessageSize {
		g.exceed(apigw.ExcessMessageSize)
	}
	if binary {
		g.exceed(apigw.ExcessBinary)
	}
}

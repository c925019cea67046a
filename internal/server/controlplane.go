package server

import (
	"context"
	"errors"
	"fmt"
	"io"

	"cleat/internal/config"
	"cleat/internal/control/functions"
	"cleat/internal/controlapi"
	"cleat/internal/controlapi/apigateway"
	"cleat/internal/controlapi/apigatewayv2"
	"cleat/internal/controlapi/backupapi"
	"cleat/internal/controlapi/iamapi"
	"cleat/internal/controlapi/lambdaapi"
	"cleat/internal/datadir"
)

// controlPlane returns the handler of the AWS APIs, and Cleat's own, by which definitions are changed; o lacks the services
// only. reload makes the node serve what the store holds; it may be called while follow calls it.
func (n *node) controlPlane(o controlapi.Options, reload func(context.Context) error) *controlapi.Handler {
	o.Log, o.Authorize, o.Audit = n.log, n.access.Authorize, n.access.Audit
	o.Services = []controlapi.Service{
		apigatewayv2.Service(n.control),
		n.stackService(reload),
		apigateway.Service(apigateway.Options{Control: n.control, Used: n.planUsage, SetRemaining: n.setRemaining, LinkLeads: n.linkLeads}),
		lambdaapi.Service(lambdaapi.Options{Functions: functions.New(n.store, n.effect.await), Code: n.code, Invoker: n.invoker}),
		lambdaapi.CodeService(n.code),
		iamapi.IAM(n.access.Identities()),
		iamapi.STS(),
		backupapi.Service(func(ctx context.Context, w io.Writer) error { return datadir.WriteBackup(ctx, w, n.store, n.dataDir) }),
	}
	return controlapi.New(o)
}

// follow calls load after each change of the definitions, and once at the start, until ctx ends. load's errors go to
// failed: what was served before is served on.
func (n *node) follow(ctx context.Context, load func(context.Context) error, failed func(error)) error {
	err := n.store.Watch(ctx, func() {
		if err := load(ctx); err != nil && ctx.Err() == nil {
			failed(fmt.Errorf("the change could not be put into effect: %w", err))
		}
	})
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return nil
	}
	return err
}

// unlimited tells whether a project is free of the quotas that AWS raises on request: they hold in profile "aws". profile
// is as for config.Limits.Apply.
func unlimited(l config.Limits, profile string) bool {
	if profile == "" {
		profile = l.Profile
	}
	return profile == "open"
}

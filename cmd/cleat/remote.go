package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"cleat/internal/awsapi"
	"cleat/internal/awsclient"
)

// remoteFlags say which node a command talks to, and as whom.
type remoteFlags struct {
	Endpoint string `default:"http://127.0.0.1:3002" env:"CLEAT_ENDPOINT" help:"Where the node's control plane listens (${default})." placeholder:"URL"`
	Profile  string `help:"Profile of the shared AWS configuration whose credentials sign the requests." placeholder:"NAME"`
}

// remote is a service of a node's control plane.
type remote struct {
	client *awsclient.Client
	ctx    context.Context //nolint:containedctx // a command line has one context for its one command
}

// changeTime is how long a node may take for a change.
const changeTime = 2 * time.Minute

// open returns a client of a service, such as "cleat". The caller closes its client.
func (f *remoteFlags) open(p *process, service string) (*remote, error) {
	sources := awsclient.Sources{Env: p.env, Profile: f.Profile}
	client, err := awsclient.New(awsclient.Options{
		Endpoint: f.Endpoint, Service: service, Region: cmp.Or(sources.Region(p.ctx), awsapi.DefaultRegion),
		Credentials: sources.Credentials(), Timeout: changeTime,
	})
	if err != nil {
		return nil, fmt.Errorf("--endpoint: %w", err)
	}
	return &remote{client, p.ctx}, nil
}

// call makes a request and reads its JSON answer into v, unless that is nil. in, unless nil, is sent as JSON.
func (r *remote) call(method, path string, query url.Values, in, v any) error {
	q := awsclient.Request{Method: method, Path: path, Query: query}
	if in != nil {
		var err error
		if q.Body, err = json.Marshal(in); err != nil {
			return err
		}
		q.Header = http.Header{"Content-Type": {"application/json"}}
	}
	got, err := r.client.Do(r.ctx, q)
	if err != nil || v == nil {
		return err
	}
	if err := json.Unmarshal(got.Body, v); err != nil {
		return fmt.Errorf("%s did not answer as a Cleat node does: %w", r.client.Endpoint(), err)
	}
	return nil
}

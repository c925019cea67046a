package export

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/awsclient"
)

// Rate is the most calls a second of Read and List, which is what AWS allows of its control plane.
const Rate = 10

// Options say what of an API is read beyond itself.
type Options struct {
	KeyValues bool // read the values of API keys, which are credentials
}

// reader reads from one endpoint.
type reader struct {
	c   *awsclient.Client
	ctx context.Context //nolint:containedctx // one reading has one context
}

// List returns the WebSocket APIs of an endpoint, ordered by name and ID.
func List(ctx context.Context, c *awsclient.Client) ([]apigw.API, error) {
	all, err := list[apigw.API](reader{c, ctx}, "/v2/apis")
	all = slices.DeleteFunc(all, func(a apigw.API) bool { return a.ProtocolType != "WEBSOCKET" })
	slices.SortFunc(all, func(x, y apigw.API) int {
		return strings.Compare(x.Name+"\x00"+string(x.APIID), y.Name+"\x00"+string(y.APIID))
	})
	return all, err
}

// Read reads an API by its ID. The error is an *awsclient.Error where the endpoint refused a call.
func Read(ctx context.Context, c *awsclient.Client, id string, o Options) (*API, error) {
	r := reader{c, ctx}
	base := "/v2/apis/" + url.PathEscape(id)
	a := &API{}
	if err := r.get(base, nil, &a.API); err != nil {
		return nil, fmt.Errorf("read API %s: %w", id, err)
	}
	if a.API.ProtocolType != "WEBSOCKET" {
		return nil, fmt.Errorf("API %s (%s) is an %s API: only WebSocket APIs can be read", id, a.API.Name, a.API.ProtocolType)
	}
	err := errors.Join(
		into(r, base+"/routes", &a.Routes), into(r, base+"/integrations", &a.Integrations), into(r, base+"/authorizers", &a.Authorizers),
		into(r, base+"/models", &a.Models), into(r, base+"/deployments", &a.Deployments), into(r, base+"/stages", &a.Stages),
	)
	if err != nil {
		return nil, fmt.Errorf("read API %s: %w", id, err)
	}
	if err := r.responses(a, base); err != nil {
		return nil, fmt.Errorf("read API %s: %w", id, err)
	}
	if err := r.mappings(a); err != nil {
		return nil, fmt.Errorf("read the custom domain names: %w", err)
	}
	if a.WantsKeys() {
		if err := r.plans(a, o); err != nil {
			return nil, fmt.Errorf("read the usage plans: %w", err)
		}
	}
	a.sort()
	return a, nil
}

// responses reads what is below routes and integrations.
func (r reader) responses(a *API, base string) error {
	for i := range a.Routes {
		id := a.Routes[i].RouteID
		all, err := list[apigw.RouteResponse](r, base+"/routes/"+url.PathEscape(id)+"/routeresponses")
		if err != nil {
			return err
		}
		for _, rr := range all {
			rr.RouteID = id
			a.RouteResponses = append(a.RouteResponses, rr)
		}
	}
	for i := range a.Integrations {
		id := a.Integrations[i].IntegrationID
		all, err := list[apigw.IntegrationResponse](r, base+"/integrations/"+url.PathEscape(id)+"/integrationresponses")
		if err != nil {
			return err
		}
		for _, ir := range all {
			ir.IntegrationID = id
			a.IntegrationResponses = append(a.IntegrationResponses, ir)
		}
	}
	return nil
}

// mappings reads the API mappings that lead to the API.
func (r reader) mappings(a *API) error {
	domains, err := list[apigw.DomainName](r, "/v2/domainnames")
	if err != nil {
		return err
	}
	for i := range domains {
		name := domains[i].DomainName
		all, err := list[apigw.APIMapping](r, "/v2/domainnames/"+url.PathEscape(name)+"/apimappings")
		if err != nil {
			return err
		}
		for _, m := range all {
			if m.APIID == a.API.APIID {
				m.DomainName = name
				a.Mappings = append(a.Mappings, m)
			}
		}
	}
	return nil
}

// get reads one answer.
func (r reader) get(path string, query url.Values, v any) error {
	got, err := r.c.Do(r.ctx, awsclient.Request{Method: http.MethodGet, Path: path, Query: query, Header: http.Header{"Accept": {"application/json"}}})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(got.Body, v); err != nil {
		return fmt.Errorf("GET %s: the answer is not that of an API Gateway: %w", path, err)
	}
	return nil
}

// maxPages bounds a list: 500 things a page are all that any quota allows.
const maxPages = 1000

// list reads all pages of a list of apigatewayv2 (spec control-plane §1.2).
func list[T any](r reader, path string) ([]T, error) {
	var all []T
	next := ""
	for range maxPages {
		query := url.Values{"maxResults": {"100"}}
		if next != "" {
			query.Set("nextToken", next)
		}
		var page struct {
			Items     []T    `json:"items"`
			NextToken string `json:"nextToken"`
		}
		if err := r.get(path, query, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if next = page.NextToken; next == "" {
			return all, nil
		}
	}
	return nil, fmt.Errorf("GET %s: the list has no end", path)
}

func into[T any](r reader, path string, to *[]T) error {
	var err error
	*to, err = list[T](r, path)
	return err
}

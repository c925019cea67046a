// Package apigateway is what WebSocket APIs need of the apigateway service (2015-07-09, "v1"): API keys, usage plans and
// their usage, VPC links, the account and tags, as requests, answers and policy resources (spec control-plane §14). The
// VPC links of HTTP APIs, which are part of apigatewayv2, are here too, beside their like. What may be created and
// changed, and how, is control's.
package apigateway

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/control"
	"cleat/internal/controlapi"
)

// Options are what the service needs beside definitions. All are required.
type Options struct {
	Control *control.Control
	// Used returns what a key has used of a plan on each day from one to another, both included: how many requests, and
	// how many were left of its quota.
	Used func(plan *apigw.UsagePlan, key string, from, to time.Time) [][2]int64
	// SetRemaining makes that much be left of a key's quota in the running period. It returns nil once that outlives the
	// process. The plan has a quota.
	SetRemaining func(plan *apigw.UsagePlan, key string, remaining int64) error
	// LinkLeads tells whether this node knows where a VPC link leads.
	LinkLeads func(*apigw.VPCLink) bool
}

// service is the operations over one control.
type service struct{ Options }

// Service returns the operations of both APIs.
func Service(o Options) controlapi.Service {
	s := &service{o}
	return controlapi.Service{Name: "apigateway", WriteError: writeError, Operations: slices.Concat(s.keys(), s.plans(), s.links(), s.others())}
}

func (s *service) keys() []controlapi.Operation {
	return []controlapi.Operation{
		// ImportApiKeys is CreateApiKey with ?mode=import.
		operation("CreateApiKey", "POST", "/apikeys", s.createKey),
		operation("GetApiKeys", "GET", "/apikeys", s.getKeys),
		operation("GetApiKey", "GET", "/apikeys/{apiKey}", s.getKey),
		operation("UpdateApiKey", "PATCH", "/apikeys/{apiKey}", s.updateKey),
		operation("DeleteApiKey", "DELETE", "/apikeys/{apiKey}", s.deleteKey),
	}
}

func (s *service) plans() []controlapi.Operation {
	return []controlapi.Operation{
		operation("CreateUsagePlan", "POST", "/usageplans", s.createPlan),
		operation("GetUsagePlans", "GET", "/usageplans", s.getPlans),
		operation("GetUsagePlan", "GET", "/usageplans/{usagePlanId}", s.getPlan),
		operation("UpdateUsagePlan", "PATCH", "/usageplans/{usagePlanId}", s.updatePlan),
		operation("DeleteUsagePlan", "DELETE", "/usageplans/{usagePlanId}", s.deletePlan),
		operation("CreateUsagePlanKey", "POST", "/usageplans/{usagePlanId}/keys", s.createPlanKey),
		operation("GetUsagePlanKeys", "GET", "/usageplans/{usagePlanId}/keys", s.getPlanKeys),
		operation("GetUsagePlanKey", "GET", "/usageplans/{usagePlanId}/keys/{keyId}", s.getPlanKey),
		operation("DeleteUsagePlanKey", "DELETE", "/usageplans/{usagePlanId}/keys/{keyId}", s.deletePlanKey),
		operation("GetUsage", "GET", "/usageplans/{usagePlanId}/usage", s.getUsage),
		operation("UpdateUsage", "PATCH", "/usageplans/{usagePlanId}/keys/{keyId}/usage", s.updateUsage),
	}
}

func (s *service) links() []controlapi.Operation {
	return []controlapi.Operation{
		operation("CreateVpcLink", "POST", "/vpclinks", s.createLink),
		operation("GetVpcLinks", "GET", "/vpclinks", s.getLinks),
		operation("GetVpcLink", "GET", "/vpclinks/{vpcLinkId}", s.getLink),
		operation("UpdateVpcLink", "PATCH", "/vpclinks/{vpcLinkId}", s.updateLink),
		operation("DeleteVpcLink", "DELETE", "/vpclinks/{vpcLinkId}", s.deleteLink),
		operation("CreateVpcLink", "POST", "/v2/vpclinks", s.createLinkV2),
		operation("GetVpcLinks", "GET", "/v2/vpclinks", s.getLinksV2),
		operation("GetVpcLink", "GET", "/v2/vpclinks/{vpcLinkId}", s.getLinkV2),
		operation("UpdateVpcLink", "PATCH", "/v2/vpclinks/{vpcLinkId}", s.updateLinkV2),
		operation("DeleteVpcLink", "DELETE", "/v2/vpclinks/{vpcLinkId}", s.deleteLinkV2),
	}
}

func (s *service) others() []controlapi.Operation {
	return []controlapi.Operation{
		operation("GetAccount", "GET", "/account", s.getAccount),
		operation("UpdateAccount", "PATCH", "/account", s.updateAccount),
		operation("GetTags", "GET", "/tags/{resourceArn...}", s.getTags),
		operation("TagResource", "PUT", "/tags/{resourceArn...}", s.tagResource),
		operation("UntagResource", "DELETE", "/tags/{resourceArn...}", s.untagResource),
	}
}

// operation is one of the table. Policies call it by its method, and what it is about by its path without the version
// (spec control-plane §1.4).
func operation(name, method, path string, do func(*controlapi.Call) (controlapi.Answer, error)) controlapi.Operation {
	resource := strings.TrimPrefix(path, "/v2")
	return controlapi.Operation{
		Name: name, Method: method, Path: path, Action: "apigateway:" + method, Changes: method != http.MethodGet, Do: do,
		Resource: func(c *controlapi.Call) string {
			if arn := c.Path("resourceArn"); arn != "" {
				return arnOf(c, "/tags/"+url.PathEscape(arn))
			}
			return arnOf(c, c.Expand(resource))
		},
	}
}

// arnOf is the ARN of a path of the service.
func arnOf(c *controlapi.Call, path string) string {
	return "arn:" + c.Partition + ":apigateway:" + c.Region + "::" + path
}

// retryAfter is how many seconds who was refused for a limit should wait.
const retryAfter = "1"

// writeError answers a failed call. This API has one kind of limits, and says when to try again.
func writeError(w http.ResponseWriter, err error, id apigw.RequestID) {
	switch apigw.KindOf(err) {
	case apigw.KindQuotaExceeded:
		err = &apigw.Error{Kind: apigw.KindLimitExceeded, Message: awsapi.Message(err), Err: err}
		fallthrough
	case apigw.KindLimitExceeded, apigw.KindTooManyRequests:
		w.Header().Set("Retry-After", retryAfter)
	default:
	}
	awsapi.WriteError(w, err, id)
}

func accepted() controlapi.Answer { return controlapi.Answer{Status: http.StatusAccepted} }

// patchRequest is the body of all PATCH requests of this API.
type patchRequest struct {
	PatchOperations []control.PatchOperation `json:"patchOperations"`
}

func patches(c *controlapi.Call) ([]control.PatchOperation, error) {
	var in patchRequest
	err := c.JSON(&in)
	return in.PatchOperations, err
}

// page is a list as this API answers it.
type page[T any] struct {
	Position string `json:"position,omitempty"` // where the next page begins; absent on the last one
	Item     []T    `json:"item"`
}

const (
	defaultLimit = 25
	maxLimit     = 500
)

// pageOf cuts the page out of a list ordered by ID that a request asks for by limit and position, which is the ID of the
// last item of the page before.
func pageOf[T any](c *controlapi.Call, all []T, id func(*T) string) (items []T, position string, err error) {
	limit := defaultLimit
	if text := c.Query("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 {
			return nil, "", badRequest("limit must be a whole number from 1 to " + strconv.Itoa(maxLimit))
		}
	}
	if after := c.Query("position"); after != "" {
		i, _ := slices.BinarySearchFunc(all, after, func(v T, after string) int {
			if id(&v) <= after {
				return -1
			}
			return 1
		})
		all = all[i:]
	}
	if n := min(limit, maxLimit); n < len(all) {
		all = all[:n]
		position = id(&all[n-1])
	}
	return all, position, nil
}

// list answers with a page.
func list[T, W any](c *controlapi.Call, all []T, id func(*T) string, wire func(*T) W) (controlapi.Answer, error) {
	items, position, err := pageOf(c, all, id)
	if err != nil {
		return controlapi.Answer{}, err
	}
	p := page[W]{Position: position, Item: []W{}}
	for i := range items {
		p.Item = append(p.Item, wire(&items[i]))
	}
	return controlapi.OK(p), nil
}

func badRequest(text string) error {
	return &apigw.Error{Kind: apigw.KindBadRequest, Message: text}
}

// answer is an operation's answer, unless it failed.
func answer(a controlapi.Answer, err error) (controlapi.Answer, error) {
	if err != nil {
		return controlapi.Answer{}, err
	}
	return a, nil
}

// flag is a parameter of the query string that is true or false; absent is false.
func flag(c *controlapi.Call, name string) (bool, error) {
	text := c.Query(name)
	if text == "" {
		return false, nil
	}
	on, err := strconv.ParseBool(text)
	if err != nil {
		return false, badRequest(name + " must be true or false")
	}
	return on, nil
}

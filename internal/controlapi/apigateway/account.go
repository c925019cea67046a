package apigateway

import (
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/controlapi"
)

// account is the account as this API shows it.
type account struct {
	CloudWatchRoleARN string   `json:"cloudwatchRoleArn,omitempty"`
	ThrottleSettings  throttle `json:"throttleSettings"`
	Features          []string `json:"features"`
	APIKeyVersion     string   `json:"apiKeyVersion"`
}

// wireAccount shows AWS's throttle: what a node lets through in truth is a limit of its configuration.
func wireAccount(a apigw.Account) account {
	return account{
		CloudWatchRoleARN: a.CloudWatchRoleARN, ThrottleSettings: throttle{BurstLimit: apigw.QuotaRequestBurst, RateLimit: apigw.QuotaRequestRate},
		Features: []string{"UsagePlans"}, APIKeyVersion: "4",
	}
}

func (s *service) getAccount(c *controlapi.Call) (controlapi.Answer, error) {
	a, err := s.Control.Account(c.Context)
	return answer(controlapi.OK(wireAccount(a)), err)
}

func (s *service) updateAccount(c *controlapi.Call) (controlapi.Answer, error) {
	ops, err := patches(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	a, err := s.Control.UpdateAccount(c.Context, ops)
	return answer(controlapi.OK(wireAccount(a)), err)
}

// tagged is the path of what the ARN in a request's path names.
func tagged(c *controlapi.Call) (string, error) {
	path, ok := strings.CutPrefix(c.Path("resourceArn"), arnOf(c, ""))
	if !ok {
		return "", badRequest("Invalid resource ARN: want " + arnOf(c, "/apikeys/…") + ", /usageplans/… or /vpclinks/…")
	}
	return path, nil
}

func (s *service) getTags(c *controlapi.Call) (controlapi.Answer, error) {
	path, err := tagged(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	tags, err := s.Control.NodeTags(c.Context, path)
	if tags == nil {
		tags = map[string]string{}
	}
	return answer(controlapi.OK(map[string]map[string]string{"tags": tags}), err)
}

func (s *service) tagResource(c *controlapi.Call) (controlapi.Answer, error) {
	var in struct {
		Tags map[string]string `json:"tags"`
	}
	if err := c.JSON(&in); err != nil {
		return controlapi.Answer{}, err
	}
	path, err := tagged(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	return answer(controlapi.NoContent(), s.Control.TagNode(c.Context, path, in.Tags))
}

func (s *service) untagResource(c *controlapi.Call) (controlapi.Answer, error) {
	path, err := tagged(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	return answer(controlapi.NoContent(), s.Control.UntagNode(c.Context, path, c.Request.URL.Query()["tagKeys"]))
}

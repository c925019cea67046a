package apigateway

import (
	"slices"
	"strings"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/control"
	"cleat/internal/controlapi"
)

// usagePlan is a usage plan as this API shows it. Limits that are zero are shown as such.
type usagePlan struct {
	ID          string            `json:"id"`
	Name        string            `json:"name,omitempty"`
	Description string            `json:"description,omitempty"`
	APIStages   []apiStage        `json:"apiStages"`
	Throttle    *throttle         `json:"throttle,omitempty"`
	Quota       *quota            `json:"quota,omitempty"`
	ProductCode string            `json:"productCode,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
}

type apiStage struct {
	APIID    apigw.APIID         `json:"apiId"`
	Stage    string              `json:"stage"`
	Throttle map[string]throttle `json:"throttle,omitempty"`
}

type throttle struct {
	BurstLimit int     `json:"burstLimit"`
	RateLimit  float64 `json:"rateLimit"`
}

type quota struct {
	Limit  int               `json:"limit"`
	Offset int               `json:"offset"`
	Period apigw.QuotaPeriod `json:"period"`
}

func planID(p *apigw.UsagePlan) string { return p.ID }

func wirePlan(p *apigw.UsagePlan) usagePlan {
	out := usagePlan{ID: p.ID, Name: p.Name, Description: p.Description, APIStages: []apiStage{}, ProductCode: p.ProductCode, Tags: p.Tags}
	for i := range p.APIStages {
		s := &p.APIStages[i]
		w := apiStage{APIID: s.APIID, Stage: s.Stage}
		for route, t := range s.Throttle {
			if w.Throttle == nil {
				w.Throttle = map[string]throttle{}
			}
			w.Throttle[route] = throttle(t)
		}
		out.APIStages = append(out.APIStages, w)
	}
	if p.Throttle != nil {
		out.Throttle = new(throttle(*p.Throttle))
	}
	if p.Quota != nil {
		out.Quota = new(quota(*p.Quota))
	}
	return out
}

func (s *service) createPlan(c *controlapi.Call) (controlapi.Answer, error) {
	var in apigw.UsagePlan // whose names are those of this API
	if err := c.JSON(&in); err != nil {
		return controlapi.Answer{}, err
	}
	in.ProductCode = "" // which only an update can set
	p, err := s.Control.CreateUsagePlan(c.Context, in)
	a := controlapi.Created(wirePlan(&p))
	a.Made = arnOf(c, "/usageplans/"+p.ID)
	return answer(a, err)
}

func (s *service) getPlans(c *controlapi.Call) (controlapi.Answer, error) {
	all, err := s.Control.UsagePlans(c.Context, c.Query("keyId"))
	if err != nil {
		return controlapi.Answer{}, err
	}
	return list(c, all, planID, wirePlan)
}

func (s *service) getPlan(c *controlapi.Call) (controlapi.Answer, error) {
	p, err := s.Control.UsagePlan(c.Context, c.Path("usagePlanId"))
	return answer(controlapi.OK(wirePlan(&p)), err)
}

func (s *service) updatePlan(c *controlapi.Call) (controlapi.Answer, error) {
	ops, err := patches(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	p, err := s.Control.UpdateUsagePlan(c.Context, c.Path("usagePlanId"), ops)
	return answer(controlapi.OK(wirePlan(&p)), err)
}

func (s *service) deletePlan(c *controlapi.Call) (controlapi.Answer, error) {
	return answer(accepted(), s.Control.DeleteUsagePlan(c.Context, c.Path("usagePlanId")))
}

func (s *service) createPlanKey(c *controlapi.Call) (controlapi.Answer, error) {
	var in struct {
		KeyID   string `json:"keyId"`
		KeyType string `json:"keyType"`
	}
	if err := c.JSON(&in); err != nil {
		return controlapi.Answer{}, err
	}
	k, err := s.Control.CreateUsagePlanKey(c.Context, apigw.UsagePlanKey{ID: in.KeyID, Type: in.KeyType, UsagePlanID: c.Path("usagePlanId")})
	a := controlapi.Created(k)
	a.Made = arnOf(c, c.Expand("/usageplans/{usagePlanId}/keys/")+k.ID)
	return answer(a, err)
}

func (s *service) getPlanKeys(c *controlapi.Call) (controlapi.Answer, error) {
	all, err := s.Control.UsagePlanKeys(c.Context, c.Path("usagePlanId"))
	if err != nil {
		return controlapi.Answer{}, err
	}
	all = slices.DeleteFunc(all, func(k control.PlanKey) bool { return !strings.HasPrefix(k.Name, c.Query("name")) })
	return list(c, all, func(k *control.PlanKey) string { return k.ID }, func(k *control.PlanKey) control.PlanKey { return *k })
}

func (s *service) getPlanKey(c *controlapi.Call) (controlapi.Answer, error) {
	k, err := s.Control.UsagePlanKey(c.Context, c.Path("usagePlanId"), c.Path("keyId"))
	return answer(controlapi.OK(k), err)
}

func (s *service) deletePlanKey(c *controlapi.Call) (controlapi.Answer, error) {
	return answer(accepted(), s.Control.DeleteUsagePlanKey(c.Context, c.Path("usagePlanId"), c.Path("keyId")))
}

// usage is what keys have used of a plan: for each of them and each day how many requests, and how many were left.
type usage struct {
	UsagePlanID string                `json:"usagePlanId"`
	StartDate   string                `json:"startDate"`
	EndDate     string                `json:"endDate"`
	Position    string                `json:"position,omitempty"`
	Values      map[string][][2]int64 `json:"values"`
}

// maxUsageDays bounds what is asked for at once. AWS keeps usage that long.
const maxUsageDays = 90

func (s *service) getUsage(c *controlapi.Call) (controlapi.Answer, error) {
	from, to := c.Query("startDate"), c.Query("endDate")
	first, err1 := time.Parse(time.DateOnly, from)
	last, err2 := time.Parse(time.DateOnly, to)
	switch {
	case err1 != nil || err2 != nil:
		return controlapi.Answer{}, badRequest("Invalid startDate or endDate specified. Must be dates such as 2024-03-12")
	case last.Before(first):
		return controlapi.Answer{}, badRequest("startDate must not be after endDate")
	case last.Sub(first) >= maxUsageDays*24*time.Hour:
		return controlapi.Answer{}, badRequest("startDate and endDate must not be more than 90 days apart")
	}
	plan, keys, err := s.Control.PlanUsers(c.Context, c.Path("usagePlanId"), c.Query("keyId"))
	if err != nil {
		return controlapi.Answer{}, err
	}
	keys, position, err := pageOf(c, keys, func(id *string) string { return *id })
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.OK(s.usageOf(&plan, keys, first, last, position)), nil
}

func (s *service) usageOf(plan *apigw.UsagePlan, keys []string, first, last time.Time, position string) usage {
	u := usage{
		UsagePlanID: plan.ID, StartDate: first.Format(time.DateOnly), EndDate: last.Format(time.DateOnly), Position: position,
		Values: map[string][][2]int64{},
	}
	for _, key := range keys {
		u.Values[key] = s.Used(plan, key, first, last)
	}
	return u
}

// updateUsage answers with the usage of today.
func (s *service) updateUsage(c *controlapi.Call) (controlapi.Answer, error) {
	ops, err := patches(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	key := c.Path("keyId")
	plan, _, err := s.Control.PlanUsers(c.Context, c.Path("usagePlanId"), key)
	if err != nil {
		return controlapi.Answer{}, err
	}
	remaining, changed, err := control.RemainingOf(&plan, ops)
	if err != nil {
		return controlapi.Answer{}, err
	}
	if changed {
		if err := s.SetRemaining(&plan, key, int64(remaining)); err != nil {
			return controlapi.Answer{}, err
		}
	}
	today := time.Now().UTC().Truncate(24 * time.Hour)
	return controlapi.OK(s.usageOf(&plan, []string{key}, today, today, "")), nil
}

package lambdaapi

import (
	"encoding/base64"
	"encoding/hex"

	"cleat/internal/apigw"
	"cleat/internal/control/functions"
	"cleat/internal/controlapi"
	"cleat/internal/store"
)

// versions shows a function as $LATEST, and its published versions behind it.
func versions(t *store.FunctionTree) []configuration {
	all := []configuration{configurationOf(&t.Function, apigw.VersionLatest)}
	for _, v := range functions.Versions(t) {
		all = append(all, configurationOf(&v, v.Version))
	}
	return all
}

func (s *service) publishVersion(c *controlapi.Call) (controlapi.Answer, error) {
	var in struct {
		CodeSha256  string
		Description string
		RevisionID  string `json:"RevisionId"`
	}
	if err := c.JSON(&in); err != nil {
		return controlapi.Answer{}, err
	}
	at, err := s.latest(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	sum, err := base64.StdEncoding.DecodeString(in.CodeSha256)
	if err != nil {
		return controlapi.Answer{}, invalid("CodeSha256 is not base64")
	}
	v, err := s.Functions.Publish(c.Context, at.name, at.arn, functions.Publication{Description: in.Description, Revision: in.RevisionID, CodeSHA256: hex.EncodeToString(sum)})
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.Created(configurationOf(&v, v.Version)), nil
}

func (s *service) listVersions(c *controlapi.Call) (controlapi.Answer, error) {
	_, t, err := s.tree(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	part, next, err := page(c, versions(t), func(v *configuration) string { return v.Version })
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.OK(struct {
		Versions   []configuration
		NextMarker string `json:",omitempty"`
	}{part, next}), nil
}

// aliasConfiguration is Lambda's AliasConfiguration.
type aliasConfiguration struct {
	AliasArn        string   `json:"AliasArn"`
	Name            string   `json:"Name"`
	FunctionVersion string   `json:"FunctionVersion"`
	Description     string   `json:"Description"`
	RoutingConfig   *routing `json:"RoutingConfig,omitempty"`
	RevisionID      string   `json:"RevisionId"`
}

type routing struct {
	AdditionalVersionWeights map[string]float64 `json:"AdditionalVersionWeights"`
}

func aliasOf(a *apigw.FunctionAlias, arn string) aliasConfiguration {
	out := aliasConfiguration{AliasArn: arn + ":" + a.Name, Name: a.Name, FunctionVersion: a.Version, Description: a.Description, RevisionID: functions.Revision(a)}
	if len(a.Weights) > 0 {
		out.RoutingConfig = &routing{a.Weights}
	}
	return out
}

// aliasRequest is what CreateAlias and UpdateAlias have in common. An absent member is nil.
type aliasRequest struct {
	Name            string
	FunctionVersion *string
	Description     *string
	RoutingConfig   *routing
	RevisionID      string `json:"RevisionId"`
}

func (in *aliasRequest) apply(a *apigw.FunctionAlias) {
	if in.FunctionVersion != nil {
		a.Version = *in.FunctionVersion
	}
	if in.Description != nil {
		a.Description = *in.Description
	}
	if in.RoutingConfig != nil {
		a.Weights = in.RoutingConfig.AdditionalVersionWeights
	}
}

func (s *service) createAlias(c *controlapi.Call) (controlapi.Answer, error) {
	var in aliasRequest
	if err := c.JSON(&in); err != nil {
		return controlapi.Answer{}, err
	}
	at, err := s.latest(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	a := apigw.FunctionAlias{Function: at.name, Name: in.Name}
	in.apply(&a)
	if err := s.Functions.CreateAlias(c.Context, at.arn, a); err != nil {
		return controlapi.Answer{}, err
	}
	answer := controlapi.Created(aliasOf(&a, at.arn))
	answer.Made = at.arn + ":" + a.Name
	return answer, nil
}

func (s *service) updateAlias(c *controlapi.Call) (controlapi.Answer, error) {
	var in aliasRequest
	if err := c.JSON(&in); err != nil {
		return controlapi.Answer{}, err
	}
	at, err := s.latest(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	a, err := s.Functions.UpdateAlias(c.Context, at.name, at.arn, c.Path("Name"), in.RevisionID, in.apply)
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.OK(aliasOf(&a, at.arn)), nil
}

func (s *service) getAlias(c *controlapi.Call) (controlapi.Answer, error) {
	at, t, err := s.tree(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	a, err := functions.Alias(t, c.Path("Name"))
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.OK(aliasOf(&a, at.arn)), nil
}

func (s *service) listAliases(c *controlapi.Call) (controlapi.Answer, error) {
	at, t, err := s.tree(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	all := []aliasConfiguration{}
	for i := range t.Aliases {
		if v := c.Query("FunctionVersion"); v == "" || v == t.Aliases[i].Version {
			all = append(all, aliasOf(&t.Aliases[i], at.arn))
		}
	}
	part, next, err := page(c, all, func(a *aliasConfiguration) string { return a.Name })
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.OK(struct {
		Aliases    []aliasConfiguration
		NextMarker string `json:",omitempty"`
	}{part, next}), nil
}

func (s *service) deleteAlias(c *controlapi.Call) (controlapi.Answer, error) {
	at, err := s.latest(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.NoContent(), s.Functions.DeleteAlias(c.Context, at.name, at.arn, c.Path("Name"))
}

package apigateway

import (
	"slices"
	"strings"

	"cleat/internal/apigw"
	"cleat/internal/controlapi"
)

// apiKey is an API key as this API shows it.
type apiKey struct {
	ID              string            `json:"id"`
	Value           string            `json:"value,omitempty"` // only where it was asked for
	Name            string            `json:"name,omitempty"`
	CustomerID      string            `json:"customerId,omitempty"`
	Description     string            `json:"description,omitempty"`
	Enabled         bool              `json:"enabled"`
	CreatedDate     int64             `json:"createdDate"`
	LastUpdatedDate int64             `json:"lastUpdatedDate"`
	StageKeys       []string          `json:"stageKeys"` // obsolete: always empty
	Tags            map[string]string `json:"tags,omitempty"`
}

func keyID(k *apigw.APIKey) string { return k.ID }

func wireKey(k *apigw.APIKey, withValue bool) apiKey {
	out := apiKey{
		ID: k.ID, Name: k.Name, CustomerID: k.CustomerID, Description: k.Description, Enabled: k.Enabled,
		CreatedDate: k.CreatedDate.Unix(), LastUpdatedDate: k.LastUpdatedDate.Unix(), StageKeys: []string{}, Tags: k.Tags,
	}
	if withValue {
		out.Value = k.Value
	}
	return out
}

// createKey is CreateApiKey, and ImportApiKeys, which has the same path.
func (s *service) createKey(c *controlapi.Call) (controlapi.Answer, error) {
	if c.Query("mode") != "" {
		return s.importKeys(c)
	}
	var in struct {
		Name        string            `json:"name"`
		Description string            `json:"description"`
		Enabled     bool              `json:"enabled"`
		Value       string            `json:"value"`
		CustomerID  string            `json:"customerId"`
		Tags        map[string]string `json:"tags"`
		// GenerateDistinctID and StageKeys are obsolete: an ID is never the value, and plans say what a key opens.
		GenerateDistinctID bool `json:"generateDistinctId"`
		StageKeys          []struct {
			RESTAPIID string `json:"restApiId"`
			StageName string `json:"stageName"`
		} `json:"stageKeys"`
	}
	if err := c.JSON(&in); err != nil {
		return controlapi.Answer{}, err
	}
	k, err := s.Control.CreateAPIKey(c.Context, apigw.APIKey{
		Name: in.Name, Description: in.Description, Enabled: in.Enabled, Value: in.Value, CustomerID: in.CustomerID, Tags: in.Tags,
	})
	a := controlapi.Created(wireKey(&k, true))
	a.Made = arnOf(c, "/apikeys/"+k.ID)
	return answer(a, err)
}

func (s *service) importKeys(c *controlapi.Call) (controlapi.Answer, error) {
	if c.Query("mode") != "import" || c.Query("format") != "csv" {
		return controlapi.Answer{}, badRequest("Invalid import: want mode=import and format=csv")
	}
	strict, err := flag(c, "failonwarnings")
	if err != nil {
		return controlapi.Answer{}, err
	}
	ids, warnings, err := s.Control.ImportAPIKeys(c.Context, c.Body, strict)
	return answer(controlapi.Created(map[string][]string{
		"ids": append([]string{}, ids...), "warnings": append([]string{}, warnings...),
	}), err)
}

func (s *service) getKeys(c *controlapi.Call) (controlapi.Answer, error) {
	withValues, err := flag(c, "includeValues")
	if err != nil {
		return controlapi.Answer{}, err
	}
	all, err := s.Control.APIKeys(c.Context)
	if err != nil {
		return controlapi.Answer{}, err
	}
	name, customer := c.Query("name"), c.Query("customerId")
	all = slices.DeleteFunc(all, func(k apigw.APIKey) bool {
		return !strings.HasPrefix(k.Name, name) || customer != "" && k.CustomerID != customer
	})
	return list(c, all, keyID, func(k *apigw.APIKey) apiKey { return wireKey(k, withValues) })
}

func (s *service) getKey(c *controlapi.Call) (controlapi.Answer, error) {
	withValue, err := flag(c, "includeValue")
	if err != nil {
		return controlapi.Answer{}, err
	}
	k, err := s.Control.APIKey(c.Context, c.Path("apiKey"))
	return answer(controlapi.OK(wireKey(&k, withValue)), err)
}

func (s *service) updateKey(c *controlapi.Call) (controlapi.Answer, error) {
	ops, err := patches(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	k, err := s.Control.UpdateAPIKey(c.Context, c.Path("apiKey"), ops)
	return answer(controlapi.OK(wireKey(&k, false)), err)
}

func (s *service) deleteKey(c *controlapi.Call) (controlapi.Answer, error) {
	return answer(accepted(), s.Control.DeleteAPIKey(c.Context, c.Path("apiKey")))
}

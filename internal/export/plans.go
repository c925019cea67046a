package export

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"cleat/internal/apigw"
)

// plans reads the usage plans that open stages of the API, with their keys, by the first version of the API (spec control-plane
// §14): its lists have item and position, its dates are numbers.
func (r reader) plans(a *API, o Options) error {
	type plan struct {
		ID, Name, Description string
		APIStages             []apigw.UsagePlanStage  `json:"apiStages"`
		Throttle              *apigw.ThrottleSettings `json:"throttle"`
		Quota                 *apigw.QuotaSettings    `json:"quota"`
	}
	all, err := items[plan](r, "/usageplans")
	if err != nil {
		return err
	}
	keys := map[string]Key{}
	for _, p := range all {
		out := Plan{Name: p.Name, Description: p.Description, Throttle: p.Throttle, Quota: p.Quota}
		for _, s := range p.APIStages {
			if s.APIID == a.API.APIID {
				out.Stages = append(out.Stages, s)
			} else {
				out.Others++
			}
		}
		if len(out.Stages) == 0 {
			continue
		}
		slices.SortFunc(out.Stages, func(x, y apigw.UsagePlanStage) int { return strings.Compare(x.Stage, y.Stage) })
		of, err := items[struct{ ID string }](r, "/usageplans/"+url.PathEscape(p.ID)+"/keys")
		if err != nil {
			return err
		}
		for _, k := range of {
			key, known := keys[k.ID]
			if !known {
				if key, err = r.key(k.ID, o); err != nil {
					return err
				}
				keys[k.ID] = key
			}
			out.Keys = append(out.Keys, key)
		}
		slices.SortFunc(out.Keys, func(x, y Key) int { return strings.Compare(x.Name, y.Name) })
		a.Plans = append(a.Plans, out)
	}
	return nil
}

func (r reader) key(id string, o Options) (Key, error) {
	var k Key
	query := url.Values{}
	if o.KeyValues {
		query.Set("includeValue", "true")
	}
	err := r.get("/apikeys/"+url.PathEscape(id), query, &k)
	if !o.KeyValues {
		k.Value = ""
	}
	k.ID = id
	return k, err
}

// items reads all pages of a list of apigateway.
func items[T any](r reader, path string) ([]T, error) {
	var all []T
	position := ""
	for range maxPages {
		query := url.Values{"limit": {"500"}}
		if position != "" {
			query.Set("position", position)
		}
		var page struct {
			Item     []T    `json:"item"`
			Position string `json:"position"`
		}
		if err := r.get(path, query, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Item...)
		if position = page.Position; position == "" {
			return all, nil
		}
	}
	return nil, fmt.Errorf("GET %s: the list has no end", path)
}

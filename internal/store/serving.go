package store

import (
	"context"
	"fmt"
	"strings"

	"cleat/internal/apigw"
)

// Published is one stage with the deployment that it points at.
type Published struct {
	API        apigw.API
	Stage      apigw.Stage
	Deployment apigw.Deployment
	Definition apigw.Definition // that the deployment has frozen
	// Revision is that of the newest of the stage and its deployment. While it stays, they and the Definition have not
	// changed; the API itself may have.
	Revision Revision
}

// Serving is all that the data plane serves, as it was at one moment.
type Serving struct {
	// Stages are the stages that point at a deployment, ordered by API and stage. A stage without a deployment is served
	// to nobody (spec data-plane §2) and is left out.
	Stages []Published

	APIKeys       []apigw.APIKey       // ordered by ID
	UsagePlans    []apigw.UsagePlan    // ordered by ID
	UsagePlanKeys []apigw.UsagePlanKey // ordered by plan, then key

	Domains  []apigw.DomainName // ordered by DomainKey
	Mappings []apigw.APIMapping // ordered by the DomainKey of their domain, then ID
}

// Serving returns what the data plane serves.
func (s *Store) Serving(ctx context.Context) (Serving, error) {
	entries, _, err := s.driver.List(ctx, "") // in one go: several would be of several moments
	if err != nil {
		return Serving{}, err
	}
	var out Serving
	var apis []Entry
	definitions := map[string]Entry{}
	for _, e := range entries {
		collection, rest, _ := strings.Cut(e.Key, "/")
		if collection+"/" == apisPrefix {
			apis = append(apis, e)
		} else if collection+"/" == definitionsPrefix {
			definitions[rest] = e
		} else if err := out.add(e, collection+"/", rest); err != nil {
			return Serving{}, err
		}
	}
	trees, err := treesOf(apis)
	if err != nil {
		return Serving{}, err
	}
	for _, t := range trees {
		stages, err := t.published(definitions)
		if err != nil {
			return Serving{}, err
		}
		out.Stages = append(out.Stages, stages...)
	}
	return out, nil
}

// add takes in an entry that is no API's; rest is its key below the collection.
func (s *Serving) add(e Entry, collection, rest string) error {
	_, below, isBelow := strings.Cut(rest, "/")
	switch {
	case collection == apiKeysPrefix && !isBelow:
		return appendDecoded(e, &s.APIKeys)
	case collection == plansPrefix && !isBelow:
		return appendDecoded(e, &s.UsagePlans)
	case collection == plansPrefix && strings.HasPrefix(below, planKeysSegment+"/"):
		return appendDecoded(e, &s.UsagePlanKeys)
	case collection == domainsPrefix && !isBelow:
		return appendDecoded(e, &s.Domains)
	case collection == domainsPrefix && strings.HasPrefix(below, mappingsSegment+"/"):
		return appendDecoded(e, &s.Mappings)
	case collection == functionsPrefix, collection == stacksPrefix, collection == linksPrefix, collection == accountPrefix: // not the gateway's
		return nil
	case collection == usersPrefix, collection == rolesPrefix: // identity's
		return nil
	}
	return fmt.Errorf("the store holds %s, which this version does not know", e.Key)
}

// published returns the API's stages that point at a deployment. definitions are at least those of the API, by their key
// below the collection.
func (t *Tree) published(definitions map[string]Entry) ([]Published, error) {
	var all []Published
	for _, stage := range t.Stages {
		for _, d := range t.Deployments {
			if d.DeploymentID != stage.DeploymentID {
				continue
			}
			p := Published{
				API: t.API, Stage: stage, Deployment: d,
				Revision: max(t.stageRevisions[stage.StageName], t.deploymentRevisions[d.DeploymentID]),
			}
			e, ok := definitions[string(t.API.APIID)+"/"+d.DeploymentID]
			if !ok {
				return nil, fmt.Errorf("the store holds deployment %s of API %s without its definition", d.DeploymentID, t.API.APIID)
			}
			if err := decode(e, &p.Definition); err != nil {
				return nil, err
			}
			all = append(all, p)
		}
	}
	return all, nil
}

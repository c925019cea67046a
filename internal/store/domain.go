package store

import (
	"context"
	"fmt"
	"strings"

	"cleat/internal/apigw"
)

// Domain is a custom domain name with its API mappings, as it was at one revision.
type Domain struct {
	Name     apigw.DomainName
	Mappings []apigw.APIMapping // ordered by ID
	// Revision is that of the domain's own entry. Who changes a mapping writes the domain with At(Revision) as well, so
	// that of two concurrent changes one sees the other.
	Revision Revision
}

// Domains returns all custom domain names with their mappings, as they were at one moment, ordered by DomainKey.
func (s *Store) Domains(ctx context.Context) ([]Domain, error) {
	entries, _, err := s.driver.List(ctx, domainsPrefix)
	if err != nil {
		return nil, err
	}
	byKey := map[string]int{}
	var out []Domain
	for _, e := range entries {
		key, below, isBelow := strings.Cut(strings.TrimPrefix(e.Key, domainsPrefix), "/")
		i, known := byKey[key]
		if !known {
			i = len(out)
			byKey[key] = i
			out = append(out, Domain{})
		}
		switch d := &out[i]; {
		case !isBelow:
			d.Revision = e.Revision
			err = decode(e, &d.Name)
		case strings.HasPrefix(below, mappingsSegment+"/"):
			err = appendDecoded(e, &d.Mappings)
		default:
			err = fmt.Errorf("the store holds %s, which this version does not know", e.Key)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

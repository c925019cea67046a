package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cleat/internal/apigw"
)

// Usage is the node's API keys and usage plans.
type Usage struct {
	APIKeys       []apigw.APIKey       // ordered by ID
	UsagePlans    []apigw.UsagePlan    // ordered by ID
	UsagePlanKeys []apigw.UsagePlanKey // ordered by plan, then key

	// Account is what they are all part of, and Revision that of its entry, zero while there is none. Who changes any of
	// them writes the account as well, with Expect: of two concurrent changes one sees the other.
	Account  apigw.Account
	Revision Revision
}

// Usage returns the API keys and usage plans.
func (s *Store) Usage(ctx context.Context) (Usage, error) {
	var u Usage
	var err error
	// The account comes first: who changes the rest meanwhile makes a commit against this revision fail.
	u.Account, u.Revision, err = Get(ctx, s, Account())
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Usage{}, err
	}
	if u.APIKeys, err = List(ctx, s, APIKeys()); err != nil {
		return Usage{}, err
	}
	entries, _, err := s.driver.List(ctx, plansPrefix)
	if err != nil {
		return Usage{}, err
	}
	for _, e := range entries {
		_, below, isBelow := strings.Cut(strings.TrimPrefix(e.Key, plansPrefix), "/")
		switch {
		case !isBelow:
			err = appendDecoded(e, &u.UsagePlans)
		case strings.HasPrefix(below, planKeysSegment+"/"):
			err = appendDecoded(e, &u.UsagePlanKeys)
		default:
			err = fmt.Errorf("the store holds %s, which this version does not know", e.Key)
		}
		if err != nil {
			return Usage{}, err
		}
	}
	return u, nil
}

// Expect is what the account's entry must be for a change to be of what was read.
func (u *Usage) Expect() Expect {
	if u.Revision == 0 {
		return Absent()
	}
	return At(u.Revision)
}

// Integrations returns the integrations of all APIs, by API.
func (s *Store) Integrations(ctx context.Context) (map[apigw.APIID][]apigw.Integration, error) {
	entries, _, err := s.driver.List(ctx, apisPrefix)
	if err != nil {
		return nil, err
	}
	out := map[apigw.APIID][]apigw.Integration{}
	for _, e := range entries {
		api, below, _ := strings.Cut(strings.TrimPrefix(e.Key, apisPrefix), "/")
		if !strings.HasPrefix(below, integrationsSegment+"/") {
			continue
		}
		all := out[apigw.APIID(api)]
		if err := appendDecoded(e, &all); err != nil {
			return nil, err
		}
		out[apigw.APIID(api)] = all
	}
	return out, nil
}

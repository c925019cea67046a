package functions

import (
	"cmp"
	"context"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/store"
)

func compare(a, b string) int { return cmp.Compare(a, b) }

// version makes the next version of a function out of what it is now, and counts it.
func version(f *apigw.Function, description string) apigw.Function {
	f.LastVersion++
	v := *f
	v.Version, v.LastVersion, v.Tags, v.Concurrency = strconv.Itoa(f.LastVersion), 0, nil, 0
	if description != "" {
		v.Description = description
	}
	return v
}

// Versions are the published versions of a function, oldest first.
func Versions(t *store.FunctionTree) []apigw.Function {
	return slices.SortedFunc(slices.Values(t.Versions), func(a, b apigw.Function) int { return number(a.Version) - number(b.Version) })
}

// number is that of a version; what is none is zero.
func number(version string) int {
	n, err := strconv.Atoi(version)
	if err != nil {
		return 0
	}
	return n
}

// Publication says what is published.
type Publication struct {
	Description string // of the version; empty: the function's
	Revision    string // that the function must be at; empty: any
	CodeSHA256  string // that its code must have, in hexadecimal; empty: any
}

// Publish makes a version of a function as it is. Where nothing has changed since the last version, that is returned and
// none is made.
func (s *Functions) Publish(ctx context.Context, name, arn string, p Publication) (apigw.Function, error) {
	var out apigw.Function
	err := s.change(ctx, name, arn, func(t *store.FunctionTree, b *store.Batch) error {
		if err := checkRevision(t.Function, p.Revision); err != nil {
			return err
		}
		if p.CodeSHA256 != "" && p.CodeSHA256 != t.Function.CodeSHA256 {
			return invalid("CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%s). Please try again with the CodeSHA256 in $LATEST.", p.CodeSHA256, t.Function.CodeSHA256)
		}
		all := Versions(t)
		if len(all) > 0 {
			t.Function.LastVersion = max(t.Function.LastVersion, number(all[len(all)-1].Version))
			if last := all[len(all)-1]; same(last, t.Function) {
				out = last
				return nil
			}
		}
		out = version(&t.Function, p.Description)
		store.Put(b, store.FunctionVersions(name).Key(out.Version), out, store.Absent())
		return nil
	})
	return out, err
}

// same tells whether a version runs the function as it is now.
func same(version, f apigw.Function) bool {
	for _, v := range []*apigw.Function{&version, &f} {
		v.Version, v.LastVersion, v.Tags, v.Concurrency = "", 0, nil, 0
		v.Description, v.LastModified = "", time.Time{}
	}
	return Revision(version) == Revision(f)
}

var aliasName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)

// checkAlias says what is wrong with an alias of a function.
func checkAlias(t *store.FunctionTree, a *apigw.FunctionAlias) error {
	if _, err := strconv.Atoi(a.Name); err == nil || !aliasName.MatchString(a.Name) {
		return invalid("Alias name %q: want 1 to 128 letters, digits, _ and -, and not digits alone", a.Name)
	}
	if len(a.Description) > maxDescription {
		return invalid("Description is longer than %d characters", maxDescription)
	}
	has := func(version string) bool {
		return slices.ContainsFunc(t.Versions, func(f apigw.Function) bool { return f.Version == version })
	}
	if a.Version != apigw.VersionLatest && !has(a.Version) {
		return notFound("Function not found: %s:%s", t.Function.ARN, a.Version)
	}
	switch {
	case len(a.Weights) > 1:
		return invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
	case len(a.Weights) > 0 && a.Version == apigw.VersionLatest:
		return invalid("$LATEST is not supported for an alias pointing to more than 1 version")
	}
	for version, weight := range a.Weights {
		switch {
		case version == apigw.VersionLatest:
			return invalid("$LATEST is not supported for an alias pointing to more than 1 version")
		case version == a.Version:
			return invalid("Invalid function version %s. Function version %s is already included in routing configuration.", version, version)
		case !has(version):
			return notFound("Function not found: %s:%s", t.Function.ARN, version)
		case !(weight >= 0 && weight <= 1):
			return invalid("The weight of version %s must be from 0.0 to 1.0", version)
		}
	}
	return nil
}

// Alias returns an alias of a function.
func Alias(t *store.FunctionTree, name string) (apigw.FunctionAlias, error) {
	if a := alias(t, name); a != nil {
		return *a, nil
	}
	return apigw.FunctionAlias{}, notFound("Cannot find alias arn: %s:%s", t.Function.ARN, name)
}

// CreateAlias makes an alias of the function that it names.
func (s *Functions) CreateAlias(ctx context.Context, arn string, a apigw.FunctionAlias) error {
	return s.change(ctx, a.Function, arn, func(t *store.FunctionTree, b *store.Batch) error {
		if alias(t, a.Name) != nil {
			return conflict("Alias already exists: %s:%s", t.Function.ARN, a.Name)
		}
		if err := checkAlias(t, &a); err != nil {
			return err
		}
		store.Put(b, store.FunctionAliases(a.Function).Key(a.Name), a, store.Absent())
		return nil
	})
}

// UpdateAlias changes an alias that is at the given revision, or at any where that is empty.
func (s *Functions) UpdateAlias(ctx context.Context, name, arn, aliasName, revision string, edit func(*apigw.FunctionAlias)) (apigw.FunctionAlias, error) {
	var out apigw.FunctionAlias
	err := s.change(ctx, name, arn, func(t *store.FunctionTree, b *store.Batch) error {
		a, err := Alias(t, aliasName)
		if err != nil {
			return err
		}
		if err := checkRevision(a, revision); err != nil {
			return err
		}
		a.Weights = maps.Clone(a.Weights)
		edit(&a)
		if err := checkAlias(t, &a); err != nil {
			return err
		}
		out = a
		store.Put(b, store.FunctionAliases(name).Key(aliasName), a, store.Expect{})
		return nil
	})
	return out, err
}

// DeleteAlias deletes an alias. As on AWS it is no error when there is none.
func (s *Functions) DeleteAlias(ctx context.Context, name, arn, aliasName string) error {
	return s.change(ctx, name, arn, func(t *store.FunctionTree, b *store.Batch) error {
		if alias(t, aliasName) == nil {
			return nil
		}
		store.Delete(b, store.FunctionAliases(name).Key(aliasName), store.Expect{})
		store.Delete(b, store.FunctionPolicies(name).Key(store.PolicyKey(aliasName)), store.Expect{})
		return nil
	})
}

// Package functions holds the rules of Lambda's functions (spec lambda §1): what may be made and changed, that a published
// version never changes, what an alias may point at, what stays of a function when its code does. What a definition must
// look like is draft's to say, for templates make functions too. The package calls no function and keeps no code.
package functions

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/draft"
	"cleat/internal/store"
)

// Functions changes functions. It is safe for concurrent use. Its methods fail with an *apigw.Error for what Lambda
// refuses: KindFunctionNotFound for a function, version or alias that is not there.
type Functions struct {
	store  *store.Store
	effect func(context.Context, store.Revision)
}

// New returns the functions in a store. effect is called after each change with the store's revision, before the change is
// told to have been made: a function that is called in the next moment must be there. Nil: nobody waits.
func New(s *store.Store, effect func(context.Context, store.Revision)) *Functions {
	if effect == nil {
		effect = func(context.Context, store.Revision) {}
	}
	return &Functions{s, effect}
}

// commit makes the changes of a batch. What the store cannot hold is told as its sender's doing.
func (s *Functions) commit(ctx context.Context, b *store.Batch) error {
	revision, err := s.store.Commit(ctx, b)
	if errors.Is(err, store.ErrInvalid) {
		return &apigw.Error{Kind: apigw.KindBadRequest, Message: "The function's definition is too large to be kept", Err: err}
	}
	if err != nil {
		return err
	}
	s.effect(ctx, revision)
	return nil
}

func notFound(format string, args ...any) error {
	return &apigw.Error{Kind: apigw.KindFunctionNotFound, Message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error {
	return &apigw.Error{Kind: apigw.KindBadRequest, Message: fmt.Sprintf(format, args...)}
}

func conflict(format string, args ...any) error {
	return &apigw.Error{Kind: apigw.KindConflict, Message: fmt.Sprintf(format, args...)}
}

// now is the time as Lambda keeps it, in milliseconds.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// Revision is the RevisionId of a function, version, alias or policy: it is another when anything of it is another.
func Revision(of any) string {
	text, err := json.Marshal(of)
	if err != nil {
		text = []byte(err.Error()) // not reached: definitions hold nothing that JSON cannot say
	}
	sum := sha256.Sum256(text)
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// checkRevision refuses a change of something that is another than its sender thinks; an empty revision passes.
func checkRevision(of any, revision string) error {
	if revision == "" || revision == Revision(of) {
		return nil
	}
	return &apigw.Error{Kind: apigw.KindPreconditionFailed, Message: "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id"}
}

// Tree returns a function with all that belongs to it. arn is what messages call it.
func (s *Functions) Tree(ctx context.Context, name, arn string) (*store.FunctionTree, error) {
	t, err := s.store.FunctionTree(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound("Function not found: %s", arn)
	}
	return t, err
}

// All returns all functions, ordered by name.
func (s *Functions) All(ctx context.Context) ([]*store.FunctionTree, error) {
	trees, _, err := s.store.FunctionTrees(ctx)
	slices.SortFunc(trees, func(a, b *store.FunctionTree) int { return compare(a.Function.Name, b.Function.Name) })
	return trees, err
}

// Resolve returns what a qualifier of a function stands for: an empty one or $LATEST the function, a number that version,
// a name the version that the alias points at.
func Resolve(t *store.FunctionTree, qualifier string) (*apigw.Function, error) {
	version := qualifier
	if a := alias(t, qualifier); a != nil {
		version = a.Version
	}
	if version == "" || version == apigw.VersionLatest {
		return &t.Function, nil
	}
	for i := range t.Versions {
		if t.Versions[i].Version == version {
			return &t.Versions[i], nil
		}
	}
	return nil, notFound("Function not found: %s:%s", t.Function.ARN, qualifier)
}

func alias(t *store.FunctionTree, name string) *apigw.FunctionAlias {
	for i := range t.Aliases {
		if t.Aliases[i].Name == name {
			return &t.Aliases[i]
		}
	}
	return nil
}

// change makes one change of a function: edit changes the tree's Function, or adds further changes to the batch.
func (s *Functions) change(ctx context.Context, name, arn string, edit func(t *store.FunctionTree, b *store.Batch) error) error {
	return draft.Retry(func() error {
		t, err := s.Tree(ctx, name, arn)
		if err != nil {
			return err
		}
		var b store.Batch
		if err := edit(t, &b); err != nil {
			return err
		}
		store.Put(&b, store.Functions().Key(name), t.Function, store.At(t.Revision))
		return s.commit(ctx, &b)
	})
}

// Creatable says what is wrong with a function that is to be made, its code aside.
func (s *Functions) Creatable(ctx context.Context, f *apigw.Function) error {
	if err := check(f); err != nil {
		return err
	}
	_, err := s.store.FunctionTree(ctx, f.Name)
	switch {
	case err == nil:
		return conflict("Function already exist: %s", f.Name)
	case errors.Is(err, store.ErrNotFound):
		return nil
	}
	return err
}

// Create makes a function; with publish its first version too. It returns the function, or the version.
func (s *Functions) Create(ctx context.Context, f apigw.Function, publish bool) (apigw.Function, error) {
	f.LastModified = now()
	out := f
	err := draft.Retry(func() error {
		if err := s.Creatable(ctx, &f); err != nil {
			return err
		}
		made, b := f, store.Batch{}
		if publish {
			out = version(&made, "")
			store.Put(&b, store.FunctionVersions(f.Name).Key(out.Version), out, store.Absent())
		}
		store.Put(&b, store.Functions().Key(f.Name), made, store.Absent())
		return s.commit(ctx, &b)
	})
	return out, err
}

// Update changes a function that is at the given revision, or at any where that is empty. edit may be called again when
// somebody else was quicker.
func (s *Functions) Update(ctx context.Context, name, arn, revision string, edit func(*apigw.Function) error) (apigw.Function, error) {
	var out apigw.Function
	err := s.change(ctx, name, arn, func(t *store.FunctionTree, _ *store.Batch) error {
		if err := checkRevision(t.Function, revision); err != nil {
			return err
		}
		if err := edit(&t.Function); err != nil {
			return err
		}
		if err := check(&t.Function); err != nil {
			return err
		}
		t.Function.LastModified = now()
		out = t.Function
		return nil
	})
	return out, err
}

// Tag gives a function tags, and then takes those of the given keys away.
func (s *Functions) Tag(ctx context.Context, name, arn string, tags map[string]string, without []string) error {
	return s.change(ctx, name, arn, func(t *store.FunctionTree, _ *store.Batch) error {
		all := map[string]string{}
		maps.Copy(all, t.Function.Tags)
		maps.Copy(all, tags)
		for _, key := range without {
			delete(all, key)
		}
		t.Function.Tags = all
		return check(&t.Function)
	})
}

// Delete deletes a function with all that belongs to it or, with a qualifier, one version of it.
func (s *Functions) Delete(ctx context.Context, name, arn, qualifier string) error {
	if qualifier == "" {
		return draft.Retry(func() error {
			t, err := s.Tree(ctx, name, arn)
			if err != nil {
				return err
			}
			var b store.Batch
			t.Delete(&b)
			return s.commit(ctx, &b)
		})
	}
	return s.change(ctx, name, arn, func(t *store.FunctionTree, b *store.Batch) error {
		switch {
		case qualifier == apigw.VersionLatest:
			return invalid("$LATEST version cannot be deleted without deleting the function.")
		case alias(t, qualifier) != nil:
			return invalid("Deletion of aliases is not currently supported.")
		}
		if _, err := strconv.Atoi(qualifier); err != nil {
			return notFound("Function not found: %s:%s", t.Function.ARN, qualifier)
		}
		for i := range t.Aliases {
			if _, shares := t.Aliases[i].Weights[qualifier]; shares || t.Aliases[i].Version == qualifier {
				return conflict("Version %s cannot be deleted: the alias %s points at it", qualifier, t.Aliases[i].Name)
			}
		}
		store.Delete(b, store.FunctionVersions(name).Key(qualifier), store.Expect{})
		store.Delete(b, store.FunctionPolicies(name).Key(store.PolicyKey(qualifier)), store.Expect{})
		return nil
	})
}

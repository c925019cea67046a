package store

import (
	"context"
	"errors"
	"fmt"
	"regexp"
)

// Revision orders the changes of a store. It grows with every commit; zero is before the first.
type Revision uint64

// Errors that a Driver returns, wrapped with the key.
var (
	// ErrNotFound says that there is no such key.
	ErrNotFound = errors.New("not found in the store")
	// ErrConflict says that an expectation of a batch did not hold: somebody else was quicker. Nothing was changed.
	ErrConflict = errors.New("changed by somebody else meanwhile")
	// ErrInvalid says that a batch can never be committed: a bad key, a key twice, or too much.
	ErrInvalid = errors.New("not a valid batch")
)

// Bounds of what a driver takes, chosen so that a replicated log can commit a batch in one go. The largest value is a
// deployment's definition: 300 routes, each with mapping templates both ways, come to several megabytes before they are
// compressed. The most changes are those of the deletion of an API with all its parts.
const (
	MaxKey     = 256
	MaxValue   = 8 << 20  // bytes, exclusive of the key
	MaxChanges = 20_000   // of one batch
	MaxBatch   = 16 << 20 // bytes of all keys and values of one batch
)

// Entry is one key with its value.
type Entry struct {
	Key      string
	Value    []byte   // shared with the store and its other readers: not to be changed
	Revision Revision // of the commit that wrote it
}

// Delta is what has become of some keys between two revisions.
type Delta struct {
	// Revision is that of the store to which the delta leads.
	Revision Revision
	// Whole tells that the entries are all there are: whoever keeps any must forget them first.
	Whole bool
	// Entries are those that are there now, ordered by key.
	Entries []Entry
	// Deleted are the keys that are gone, ordered. There may be some among them that nobody ever saw.
	Deleted []string
}

// Expect is what must hold for a change's key when it is committed. The zero value is: anything.
type Expect struct {
	checked  bool
	revision Revision // zero: absent
}

// Absent expects that the key is not there.
func Absent() Expect { return Expect{checked: true} }

// At expects that the key is there and was last written with this revision.
func At(r Revision) Expect { return Expect{checked: true, revision: r} }

// Met reports whether an entry's revision, zero for an absent one, is as expected.
func (e Expect) Met(r Revision) bool { return !e.checked || e.revision == r }

// Revision returns the expected revision, zero for absent, and whether anything is expected at all.
func (e Expect) Revision() (Revision, bool) { return e.revision, e.checked }

// Change is one part of a batch.
type Change struct {
	Key    string
	Value  []byte // may be reused once Commit has returned
	Delete bool   // Value is of no account then; deleting what is absent is no error
	Expect Expect
}

// Driver is an atomic key-value store. Its methods are safe for concurrent use. A commit is seen by Get, List and Watch
// wholly or not at all, and at once by the one who made it.
type Driver interface {
	// Get returns the entry of a key, or ErrNotFound.
	Get(ctx context.Context, key string) (Entry, error)
	// List returns the entries whose keys begin with prefix, ordered by key, as they were at the revision it returns.
	List(ctx context.Context, prefix string) ([]Entry, Revision, error)
	// Members is List without the entries that lie deeper: those whose keys have a slash after the prefix.
	Members(ctx context.Context, prefix string) ([]Entry, Revision, error)
	// Since returns what has changed since a revision that an earlier Delta led to, as it is at one moment. It is Whole for
	// zero, and when the driver does not remember that far back.
	Since(ctx context.Context, r Revision) (Delta, error)
	// Commit makes all the changes or none, and returns the store's revision after them. It fails with ErrConflict when
	// an expectation does not hold and with ErrInvalid when CheckChanges objects. An empty batch is no commit.
	Commit(ctx context.Context, changes []Change) (Revision, error)
	// Watch calls changed once with the store's revision as soon as no later commit can escape it, and from then on
	// after commits that touched a key with the prefix. One call may stand for many commits; a call for nothing is
	// allowed. changed runs in the goroutine of the caller of Watch, one call at a time; no call begins when ctx has
	// ended. Watch then returns its cause, or earlier an error when the store is lost.
	Watch(ctx context.Context, prefix string, changed func(Revision)) error
}

// keyPattern is what all drivers can store: path segments that are legal in a NATS KV key too.
var keyPattern = regexp.MustCompile(`^[A-Za-z0-9_=-]+(?:/[A-Za-z0-9_=-]+)*$`)

// CheckChanges says what is wrong with a batch, whatever the state of the store. Drivers call it first in Commit.
func CheckChanges(changes []Change) error {
	if len(changes) > MaxChanges {
		return fmt.Errorf("%w: %d changes, at most %d go at once", ErrInvalid, len(changes), MaxChanges)
	}
	seen, size := make(map[string]bool, len(changes)), 0
	for i := range changes {
		c := &changes[i]
		size += len(c.Key) + len(c.Value)
		switch {
		case len(c.Key) > MaxKey || !keyPattern.MatchString(c.Key):
			return fmt.Errorf("%w: key %.300q: want letters, digits, _, = and - with single slashes between, at most %d bytes", ErrInvalid, c.Key, MaxKey)
		case seen[c.Key]:
			return fmt.Errorf("%w: key %s is there twice", ErrInvalid, c.Key)
		case len(c.Value) > MaxValue:
			return fmt.Errorf("%w: the value of %s has %d bytes, at most %d are kept", ErrInvalid, c.Key, len(c.Value), MaxValue)
		}
		seen[c.Key] = true
	}
	if size > MaxBatch {
		return fmt.Errorf("%w: %d bytes of keys and values, at most %d go at once", ErrInvalid, size, MaxBatch)
	}
	return nil
}

package draft

import (
	"errors"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/store"
)

// attempts bounds how often a change is tried again when somebody else was quicker.
const attempts = 5

// Retry runs a change, which reads what it changes anew each time, until its commit does not conflict with another's
// (store.ErrConflict), a few times at most. The error of a change that never got through is an *apigw.Error of
// KindConflict.
func Retry(change func() error) error {
	var err error
	for range attempts {
		if err = change(); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return &apigw.Error{Kind: apigw.KindConflict, Message: "Unable to complete operation due to concurrent modification. Please try again later.", Err: err}
}

// Now is the time as API Gateway shows it: UTC, whole seconds (spec control-plane §1).
func Now() time.Time { return time.Now().UTC().Truncate(time.Second) }

package lambdaevent_test

import "cleat/internal/testkit"

// testEvent is an event of the spec's examples.
var testEvent = testkit.Event

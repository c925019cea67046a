package push

import (
	"errors"
	"fmt"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/conn"
)

// headerGone says in a 410 what has become of the connection, which AWS tells nobody: docs/compatibility.md lists its
// values. The body stays empty, as AWS's is (spec management-api §4).
const headerGone = "X-Cleat-Gone"

// errForeign says that a connection is alive, on another API or stage than the one addressed.
var errForeign = errors.New("the connection belongs to another API or stage")

// absence says why a push was answered with 410.
func (h *Handler) absence(id apigw.ConnectionID, err error) string {
	if errors.Is(err, errForeign) {
		return "never-existed" // on this stage; who addresses another one's connection learns nothing of it
	}
	a := h.hub.Absence(id)
	at := a.At.UTC().Format(time.RFC3339)
	switch a.Presence {
	case conn.PresencePending:
		return "not-open-yet"
	case conn.PresenceRefused:
		return "refused; at=" + at
	case conn.PresenceClosed:
		return fmt.Sprintf("closed; at=%s; code=%d", at, a.Code)
	case conn.PresenceNever:
		return "never-existed"
	case conn.PresenceElsewhere:
		return "other-node"
	case conn.PresenceOpen: // it opened between the two looks, or its client has vanished and is about to be closed
		return "closing"
	case conn.PresenceForgotten:
	}
	return "unknown"
}

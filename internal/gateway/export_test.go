package gateway

import (
	"unsafe"

	"cleat/internal/apigw"
)

// SessionSize is what the gateway keeps of each connection, in bytes.
const SessionSize = unsafe.Sizeof(session{})

// Attachment is what the hub keeps of a connection for the gateway, so that a benchmark can call Message as the hub does.
func (g *Gateway) Attachment(id apigw.ConnectionID) any {
	info, err := g.hub.Info(id)
	if err != nil {
		return nil
	}
	return info.Attachment
}

// What reads the client's own words in a handshake.
var (
	QueryFields = queryFields
	TraceID     = traceID
)

package apigw

// Excess is something that Cleat's limits allow and AWS's do not: who relies on it should know before deploying there.
// Package gateway counts each kind and logs the first of each.
type Excess uint8

// The kinds.
const (
	ExcessConnectRate Excess = iota // more new connections a second than QuotaConnectRate
	ExcessRequestRate               // more requests a second than QuotaRequestRate
	ExcessMessageSize               // a message, either way, of more than QuotaMessageSize
	ExcessFrameSize                 // a frame from a client of more than QuotaFrameSize
	ExcessBinary                    // a binary message, either way

	Excesses // the number of kinds
)

var excesses = [Excesses]struct{ name, text string }{
	ExcessConnectRate: {"connect_rate", "more than 500 new connections a second (AWS: 429 Too Many Requests)"},
	ExcessRequestRate: {"request_rate", "more than 10,000 requests a second (AWS: Too Many Requests)"},
	ExcessMessageSize: {"message_size", "a message of more than 128 KB (AWS: close code 1009, or 413)"},
	ExcessFrameSize:   {"frame_size", "a frame of more than 32 KB (AWS: close code 1009; send longer messages in fragments)"},
	ExcessBinary:      {"binary", "a binary message (AWS: close code 1003)"},
}

// Name is the kind in a word, for metrics.
func (e Excess) Name() string { return excesses[e].name }

// String says what was done and what AWS would have answered.
func (e Excess) String() string { return excesses[e].text }

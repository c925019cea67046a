package apigw

import "time"

// Quotas that AWS documents for WebSocket APIs (spec data-plane §8, lambda §8). Sizes are bytes.
const (
	QuotaFrameSize          = 32 << 10
	QuotaMessageSize        = 128 << 10
	QuotaIdleTimeout        = 10 * time.Minute
	QuotaMaxDuration        = 2 * time.Hour
	QuotaIntegrationTimeout = 29 * time.Second
	QuotaMinTimeoutMillis   = 50
	QuotaMaxTimeoutMillis   = 29000
	QuotaHandshakeURL       = 4096
	QuotaHandshakeHeader    = 10240
	QuotaRoutes             = 300
	QuotaIntegrations       = 300
	QuotaStages             = 10
	QuotaAuthorizers        = 10
	QuotaAuthorizerResult   = 8 << 10
	QuotaStageVariables     = 100
	QuotaRouteKey           = 128
	QuotaDomainNames        = 120
	QuotaVPCLinks           = 20  // of each version
	QuotaMappings           = 200 // of one custom domain name
	QuotaMappingKey         = 300
	QuotaConnectRate        = 500    // new connections a second
	QuotaConnectBurst       = 250    // AWS documents none: judged by the proportion of the two below
	QuotaRequestRate        = 10_000 // requests a second
	QuotaRequestBurst       = 5_000
	QuotaLambdaPayload      = 6 << 20
	QuotaTemplate           = 300 << 10 // of one mapping template
	QuotaTemplateLoop       = 1000      // turns of one #foreach
	QuotaFunctionTimeout    = 3 * time.Second
	QuotaFunctionMemory     = 128       // MB; Serverless's own default is 1024
	QuotaFunctionZip        = 50 << 20  // bytes of code that is uploaded with a call
	QuotaFunctionCode       = 250 << 20 // bytes of code, unzipped
)

// Limits bound what one connection may do, and how often all of a node's may do it. The zero value is of no use: start from LimitsAWS or LimitsOpen.
type Limits struct {
	FrameSize    int           // payload bytes of one frame; more closes with 1009
	MessageSize  int           // bytes of one message, also of a push; more closes with 1009 (push: 413)
	IdleTimeout  time.Duration // without a data frame either way; closes with 1001. Zero: never
	MaxDuration  time.Duration // from connect; closes with 1001. Zero: never
	PingInterval time.Duration // server pings on an idle connection. Zero: never, as AWS
	Binary       bool          // accept binary messages; otherwise they close with 1003
	// Compression agrees to a client's offer of permessage-deflate (RFC 7692), which AWS never does. MessageSize bounds
	// what a message amounts to; connections keep what was agreed when they were opened.
	Compression bool
	// ControlIsActivity lets a client's ping or pong reset the idle timer (spec open-questions 18).
	ControlIsActivity bool
	// InFlight bounds one connection's messages being handled at a time; past it Cleat stops reading from it.
	InFlight int
	// WriteQueue bounds one connection's unsent bytes; past it a push answers 429.
	WriteQueue int
	// WriteTimeout bounds how long unsent bytes may wait for a slow reader before its connection is closed.
	WriteTimeout time.Duration
	// HandshakeTimeout bounds the client's part of a handshake: TLS, and the request's head.
	HandshakeTimeout time.Duration
	// CloseTimeout bounds the wait for the client's answer to a close frame.
	CloseTimeout time.Duration
	// ConnectRate is how many connections a node lets in a second. Zero: as many as come.
	ConnectRate int
	// RequestRate is how many connects, messages and management requests a node takes a second, and RequestBurst how many
	// of them may come at once. Zero: as many as come; a rate without a burst allows what comes in a second at once.
	RequestRate, RequestBurst int
}

// ConnectBurst is how many connections may come at once, in the proportion of AWS's own.
func (l Limits) ConnectBurst() int {
	return max(1, l.ConnectRate*QuotaConnectBurst/QuotaConnectRate)
}

// LimitsAWS are the limits of profile "aws": AWS's quotas where it documents one.
func LimitsAWS() Limits {
	return Limits{
		FrameSize:        QuotaFrameSize,
		MessageSize:      QuotaMessageSize,
		IdleTimeout:      QuotaIdleTimeout,
		MaxDuration:      QuotaMaxDuration,
		InFlight:         32,
		WriteQueue:       1 << 20,
		WriteTimeout:     30 * time.Second,
		HandshakeTimeout: 10 * time.Second,
		CloseTimeout:     5 * time.Second,
		ConnectRate:      QuotaConnectRate,
		RequestRate:      QuotaRequestRate,
		RequestBurst:     QuotaRequestBurst,
	}
}

// LimitsOpen are the limits of profile "open": what AWS cannot do.
func LimitsOpen() Limits {
	l := LimitsAWS()
	l.FrameSize, l.MessageSize = 1<<20, 1<<20
	l.IdleTimeout, l.MaxDuration = 0, 0
	l.PingInterval = 30 * time.Second
	l.Binary = true
	l.ControlIsActivity = true
	l.WriteQueue = 4 << 20
	l.ConnectRate, l.RequestRate, l.RequestBurst = 0, 0, 0
	return l
}

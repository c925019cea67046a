package apigw

import "time"

// VPCLink is a private integration's way to its backend (spec control-plane §13). Links belong to the node. Where one
// leads here is the node's configuration, which knows it by its ID or its name, or its only target where that is a URL.
type VPCLink struct {
	ID          string            `json:"id"`
	Version     VPCLinkVersion    `json:"version"`
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"` // of LinkV1
	CreatedDate time.Time         `json:"createdDate"`
	Tags        map[string]string `json:"tags,omitempty"`

	TargetARNs       []string `json:"targetArns,omitempty"`       // of LinkV1
	SubnetIDs        []string `json:"subnetIds,omitempty"`        // of LinkV2
	SecurityGroupIDs []string `json:"securityGroupIds,omitempty"` // of LinkV2
}

// VPCLinkVersion tells which API a link belongs to.
type VPCLinkVersion string

// The versions: of REST and WebSocket APIs, and of HTTP APIs.
const (
	LinkV1 VPCLinkVersion = "V1"
	LinkV2 VPCLinkVersion = "V2"
)

// Account is what holds for a whole node, as an AWS account has it in a region (spec control-plane §14).
type Account struct {
	// CloudWatchRoleARN is kept as it was given. Nothing here needs it.
	CloudWatchRoleARN string `json:"cloudwatchRoleArn,omitempty"`
}

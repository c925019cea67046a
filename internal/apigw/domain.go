package apigw

// APIMappingSelectionExpression is what every custom domain name selects its mappings by (spec data-plane §1.1).
const APIMappingSelectionExpression = "$request.basepath"

// DomainName is a custom domain name: a host whose API mappings say which paths are which stage of which API (spec
// data-plane §1.1, control-plane §13). "*.example.com" stands for every name that has one label in place of the star.
type DomainName struct {
	DomainName                    string                    `json:"domainName"` // in lower case
	APIMappingSelectionExpression string                    `json:"apiMappingSelectionExpression"`
	DomainNameARN                 string                    `json:"domainNameArn,omitempty"`
	DomainNameConfigurations      []DomainNameConfiguration `json:"domainNameConfigurations"`
	RoutingMode                   string                    `json:"routingMode,omitempty"`
	Tags                          map[string]string         `json:"tags,omitempty"`
}

// DomainNameConfiguration is how AWS would put a custom domain name on the network. Cleat looks at none of it: its
// listener's certificate is the operator's matter.
type DomainNameConfiguration struct {
	APIGatewayDomainName             string `json:"apiGatewayDomainName,omitempty"` // output: "d-….execute-api.{region}.amazonaws.com"
	CertificateARN                   string `json:"certificateArn,omitempty"`
	CertificateName                  string `json:"certificateName,omitempty"`
	DomainNameStatus                 string `json:"domainNameStatus,omitempty"` // output
	EndpointType                     string `json:"endpointType,omitempty"`
	HostedZoneID                     string `json:"hostedZoneId,omitempty"` // output
	IPAddressType                    string `json:"ipAddressType,omitempty"`
	OwnershipVerificationCertificate string `json:"ownershipVerificationCertificateArn,omitempty"`
	SecurityPolicy                   string `json:"securityPolicy,omitempty"`
}

// APIMapping gives a path of a custom domain name to a stage (spec data-plane §1.1, control-plane §13).
type APIMapping struct {
	APIMappingID string `json:"apiMappingId"`
	DomainName   string `json:"domainName,omitempty"` // the domain it belongs to; AWS has it in the path only
	APIID        APIID  `json:"apiId"`
	// APIMappingKey is the path without slashes around it, "v1" or "v1/chat"; empty for the root.
	APIMappingKey string `json:"apiMappingKey,omitempty"`
	Stage         string `json:"stage"`
}

// IsHealthCheck tells whether the only segment of a path is one that the service's health checks keep for themselves on
// every custom domain name (spec data-plane §1.1).
func IsHealthCheck(segment string) bool { return segment == "ping" || segment == "sping" }

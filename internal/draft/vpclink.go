package draft

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"cleat/internal/apigw"
)

// ConnectionVPCLink is the connection type of an integration whose connection ID names a VPC link.
const ConnectionVPCLink = "VPC_LINK"

var loadBalancer = regexp.MustCompile(`^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:loadbalancer/net/[A-Za-z0-9-]+/[0-9a-f]+$`)

// CheckVPCLink checks a VPC link (spec control-plane §13).
func CheckVPCLink(l *apigw.VPCLink) Problems {
	var p Problems
	if l.Name == "" {
		p.Bad("name", "Name is required")
	}
	p.length("name", l.Name, maxName)
	p.length("description", l.Description, maxDescription)
	p.tags(l.Tags)
	switch l.Version {
	case apigw.LinkV1:
		if len(l.TargetARNs) != 1 || !loadBalancer.MatchString(l.TargetARNs[0]) && !IsTargetURL(l.TargetARNs[0]) {
			p.Bad("targetArns", "Invalid targetArns: want the ARN of one network load balancer, or, here, a URL of a scheme, a host and a port such as http://10.0.0.7:8080")
		}
	case apigw.LinkV2:
		if len(l.SubnetIDs) == 0 {
			p.Bad("subnetIds", "subnetIds is required")
		}
		p.texts("subnetIds", l.SubnetIDs)
		p.texts("securityGroupIds", l.SecurityGroupIDs)
	}
	return p
}

// texts bounds a list of identifiers of other services.
func (p *Problems) texts(field string, list []string) {
	if len(list) > maxTags || slices.ContainsFunc(list, func(s string) bool { return s == "" || len(s) > maxName }) {
		p.Bad(field, "%s must be at most %d texts of 1 to %d characters", field, maxTags, maxName)
	}
}

// IsTargetURL reports whether a VPC link's target is the address of a backend itself, where AWS has a load balancer's ARN.
func IsTargetURL(target string) bool {
	u, err := url.Parse(target)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.Port() != "" && strings.Trim(u.Path, "/") == "" &&
		u.RawQuery == "" && u.User == nil && u.Fragment == "" && len(target) <= maxURI
}

// LoadBalancerName is the name in the ARN of a load balancer, empty when a target is none.
func LoadBalancerName(target string) string {
	if !loadBalancer.MatchString(target) {
		return ""
	}
	return strings.Split(target, "/")[2]
}

package server

import (
	"fmt"
	"maps"
	"net/url"
	"strings"

	"cleat/internal/backend"
	"cleat/internal/cfn"
	"cleat/internal/control/stacks"
	"cleat/internal/project"
)

const (
	serviceDynamoDB   = "dynamodb"
	serviceExecuteAPI = "execute-api"
)

// endpoints are where the AWS services of a project are: what cleat.yaml says, what the command line says before it, and
// this node itself for the management API.
func (n *node) endpoints(p settings) map[string]string {
	out := map[string]string{serviceExecuteAPI: n.own}
	maps.Copy(out, p.AWS.Endpoints)
	if n.dynamoDB != "" {
		out[serviceDynamoDB] = n.dynamoDB
	}
	return out
}

// loadServices makes integrations reach AWS services as p says.
func (n *node) loadServices(p settings) error {
	if err := n.services.Swap(backend.ServiceSettings{
		Endpoints:   n.endpoints(p),
		Credentials: backend.StaticCredentials(p.AWS.AccessKeyID, p.AWS.SecretAccessKey, p.AWS.SessionToken),
	}); err != nil {
		return fmt.Errorf("set up the AWS services of cleat.yaml: %w", err)
	}
	return nil
}

// tableEndpoint is where a project's tables are to be made: the stand-in that DynamoDB has here. It is empty when there
// is none, and for AWS itself, where tables cost money and others may use them.
func (n *node) tableEndpoint(p settings) string {
	endpoints := n.endpoints(p)
	for _, name := range []string{serviceDynamoDB, backend.EveryService} {
		if to := endpoints[name]; to != "" {
			if u, err := url.Parse(to); err != nil || backend.IsAWSHost(u.Hostname()) {
				return ""
			}
			return to
		}
	}
	return ""
}

// sdkNames are the names that AWS's SDKs have in AWS_ENDPOINT_URL_… for services whose own is another.
var sdkNames = map[string]string{
	"streams.dynamodb": "DYNAMODB_STREAMS", "states": "SFN", "events": "EVENTBRIDGE", "secretsmanager": "SECRETS_MANAGER",
	"logs": "CLOUDWATCH_LOGS", "monitoring": "CLOUDWATCH", "email": "SES", "cognito-idp": "COGNITO_IDENTITY_PROVIDER",
}

// endpointVariables tell the SDKs of functions where the services are that cleat.yaml names.
func endpointVariables(p settings) map[string]string {
	out := map[string]string{}
	for name, to := range p.AWS.Endpoints {
		switch sdk, ok := sdkNames[name]; {
		case name == backend.EveryService:
			out["AWS_ENDPOINT_URL"] = to
		case ok:
			out["AWS_ENDPOINT_URL_"+sdk] = to
		case name != serviceExecuteAPI && !strings.Contains(name, "."):
			out["AWS_ENDPOINT_URL_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))] = to
		}
	}
	return out
}

// missingLinks warns of integrations whose VPC link leads nowhere.
func missingLinks(p *project.Project, outcome *stacks.Outcome) {
	known := map[string]bool{}
	for _, l := range p.VPCLinks {
		known[l.Name] = true
	}
	for _, use := range outcome.Links {
		if !known[use.ConnectionID] {
			outcome.Warnings = append(outcome.Warnings, cfn.Fault{Place: use.Place, Message: fmt.Sprintf(
				"the VPC link %q leads nowhere here, so its integrations fail: name its targets under vpcLinks in cleat.yaml", use.ConnectionID)})
		}
	}
}

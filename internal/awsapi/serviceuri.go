package awsapi

import (
	"fmt"
	"regexp"
	"strings"
)

// ServiceURI is the integration URI of an AWS service, arn:{partition}:apigateway:{region}:{subdomain.}{service}:action/…
// or :path/… (spec events-and-integrations §7). Its methods say how AWS is reached by it; they know nothing of stand-ins.
type ServiceURI struct {
	Partition string // "aws", "aws-cn", …
	Region    string
	Subdomain string // "runtime" of runtime.sagemaker, a bucket of S3, an API's ID; empty when there is none
	Service   string // "dynamodb"
	Action    string // of an action URI, "PutItem"; empty for a path URI
	Path      string // of a path URI, percent-encoded, without its first slash
	Query     string // encoded: what stands behind ? in a path, behind the first & in an action
}

const serviceURIForm = "arn:aws:apigateway:{region}:{service}:action/{Action} or arn:aws:apigateway:{region}:{service}:path/{path}"

var (
	partitionName = regexp.MustCompile(`^aws[a-z-]*$`)
	regionLabel   = regexp.MustCompile(`^[a-z0-9-]+$`)
	serviceLabels = regexp.MustCompile(`^[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*$`)
	apiLabel      = regexp.MustCompile(`^[a-z0-9]+$`)
	actionName    = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
)

// ParseServiceURI reads the integration URI of an AWS service. Stage variables and placeholders are the caller's to
// replace before. The error says which part is wrong and what it should be.
func ParseServiceURI(uri string) (ServiceURI, error) {
	var u ServiceURI
	bad := func(format string, args ...any) (ServiceURI, error) {
		return ServiceURI{}, fmt.Errorf("%q is not the integration URI of an AWS service: %s", uri, fmt.Sprintf(format, args...))
	}
	parts := strings.SplitN(uri, ":", 6)
	switch {
	case parts[0] != "arn":
		return bad("want %s", serviceURIForm)
	case len(parts) > 2 && parts[2] == "lambda":
		return bad("a function is called by arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{functionArn}/invocations")
	case len(parts) > 2 && parts[2] != "apigateway":
		return bad("it is an ARN of %s, not of apigateway: want %s", parts[2], serviceURIForm)
	case len(parts) < 6:
		return bad("it has %d parts between colons, not 6: want %s", len(parts), serviceURIForm)
	}
	u.Partition, u.Region, u.Service = parts[1], parts[3], parts[4]
	switch {
	case !partitionName.MatchString(u.Partition):
		return bad("%q is not a partition, such as aws", u.Partition)
	case !regionLabel.MatchString(u.Region):
		return bad("%q is not a region, such as eu-west-1", u.Region)
	case !serviceLabels.MatchString(u.Service):
		return bad("%q is not a service, such as dynamodb or runtime.sagemaker", u.Service)
	}
	if i := strings.LastIndexByte(u.Service, '.'); i >= 0 {
		u.Subdomain, u.Service = u.Service[:i], u.Service[i+1:]
	}
	kind, rest, _ := strings.Cut(parts[5], "/")
	switch kind {
	case "action":
		u.Action, u.Query, _ = strings.Cut(rest, "&")
		if !actionName.MatchString(u.Action) {
			return bad("%q is not an action's name, such as PutItem", u.Action)
		}
		if u.Service == serviceS3 {
			return bad("S3 has no actions: want …:s3:path/{bucket}/{key} and an integrationMethod")
		}
	case "path":
		u.Path, u.Query, _ = strings.Cut(strings.TrimPrefix(rest, "/"), "?")
		if api, _, _ := strings.Cut(u.Path, "/"); u.Name() == serviceExecuteAPI && !apiLabel.MatchString(api) {
			return bad("%q is not an API's ID: want …:execute-api:path/{apiId}/{stage}/…", api)
		}
	default:
		return bad("%q is neither action/{Action} nor path/{path}", parts[5])
	}
	for i := range len(rest) {
		if c := rest[i]; c <= ' ' || c == 0x7f || c == '#' {
			return bad("%q holds a character that a URL cannot bear", rest)
		}
	}
	return u, nil
}

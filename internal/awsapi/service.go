package awsapi

import "strings"

const (
	serviceS3         = "s3"
	serviceExecuteAPI = "execute-api"
)

// jsonService is a service of AWS's JSON protocol that API Gateway knows as such.
type jsonService struct {
	target  string // what stands before the action in X-Amz-Target
	version string // of the protocol
}

// jsonServices are those for which API Gateway makes X-Amz-Target and Content-Type of the action. For others of the
// protocol, such as EventBridge, integrations map both (spec events-and-integrations §7).
var jsonServices = map[string]jsonService{
	"dynamodb":         {"DynamoDB_20120810", "1.0"},
	"streams.dynamodb": {"DynamoDBStreams_20120810", "1.0"},
	"kinesis":          {"Kinesis_20131202", "1.1"},
	"firehose":         {"Firehose_20150804", "1.1"},
	"ssm":              {"AmazonSSM", "1.1"},
	"states":           {"AWSStepFunctions", "1.0"},
}

// globalServices have one endpoint for the partition aws, whose signatures name us-east-1.
var globalServices = map[string]bool{"iam": true, "route53": true, "cloudfront": true}

// signingNames are the services whose credential scope has another name than their endpoint.
var signingNames = map[string]string{"email": "ses", "data.iot": "iotdata", "data-ats.iot": "iotdata", "queue": "sqs"}

// suffixes are the partitions' domains; that of aws serves for those not named.
var suffixes = map[string]string{
	"aws-cn": "amazonaws.com.cn", "aws-iso": "c2s.ic.gov", "aws-iso-b": "sc2s.sgov.gov", "aws-eusc": "amazonaws.eu",
}

// Name is the service with its subdomain, "dynamodb" or "runtime.sagemaker".
func (u *ServiceURI) Name() string {
	if u.Subdomain == "" {
		return u.Service
	}
	return u.Subdomain + "." + u.Service
}

// String names the target in few words, for a log: "dynamodb PutItem", "s3 /bucket/key".
func (u *ServiceURI) String() string {
	if u.Action != "" {
		return u.Name() + " " + u.Action
	}
	return u.Name() + " /" + u.Path
}

// JSONTarget returns the X-Amz-Target and the Content-Type that API Gateway adds for the action. ok is false for
// services that it takes for ones of the query protocol, and for paths.
func (u *ServiceURI) JSONTarget() (target, contentType string, ok bool) {
	s, ok := jsonServices[u.Name()]
	if !ok || u.Action == "" {
		return "", "", false
	}
	return s.target + "." + u.Action, "application/x-amz-json-" + s.version, true
}

// Host is AWS's own host for the service. A path of execute-api may begin with the API's ID, which is part of the host.
func (u *ServiceURI) Host() string {
	suffix := "amazonaws.com"
	if s, ok := suffixes[u.Partition]; ok {
		suffix = s
	} else if strings.HasPrefix(u.Region, "cn-") {
		suffix = suffixes["aws-cn"]
	}
	name := u.Name()
	switch {
	case u.Partition == "aws" && globalServices[name]:
		return name + "." + suffix
	case name == "states" && u.Action == "StartSyncExecution":
		name = "sync-states" // the one action that has an endpoint of its own
	case name == serviceExecuteAPI:
		if api, _, _ := strings.Cut(u.Path, "/"); api != "" {
			name = api + "." + name
		}
	}
	return name + "." + u.Region + "." + suffix
}

// HostPath is the path at Host, percent-encoded, with its first slash.
func (u *ServiceURI) HostPath() string {
	if u.Name() == serviceExecuteAPI {
		_, rest, _ := strings.Cut(u.Path, "/")
		return "/" + rest
	}
	return "/" + u.Path
}

// PlainPath is the path at an endpoint that serves all of the service under one host name: S3's buckets and
// execute-api's APIs come first in it, other subdomains do not show.
func (u *ServiceURI) PlainPath() string {
	if u.Subdomain != "" && (u.Service == serviceS3 || u.Service == serviceExecuteAPI) {
		return "/" + u.Subdomain + "/" + u.Path
	}
	return "/" + u.Path
}

// Scope is the service and the region that a signature names.
func (u *ServiceURI) Scope() (service, region string) {
	service, region = u.Service, u.Region
	if name, ok := signingNames[u.Name()]; ok {
		service = name
	}
	if u.Partition == "aws" && globalServices[u.Name()] {
		region = "us-east-1"
	}
	return service, region
}

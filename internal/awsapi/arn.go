package awsapi

import (
	"fmt"
	"regexp"
	"strings"
)

// DefaultAccount is the account of everything that Cleat names where the user names none.
const DefaultAccount = "123456789012"

// DefaultRegion is the region where the user names none.
const DefaultRegion = "us-east-1"

var regionName = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)

// IsRegion reports whether a text can be a region, such as eu-west-1: what is made of another is no ARN.
func IsRegion(s string) bool { return regionName.MatchString(s) }

// FunctionARN is the ARN of a Lambda function.
func FunctionARN(region, account, name string) string {
	return "arn:" + Partition(region) + ":lambda:" + region + ":" + account + ":function:" + name
}

// LambdaURI is the integration URI of a function's ARN (spec events-and-integrations §1.4).
func LambdaURI(region, functionARN string) string {
	return "arn:aws:apigateway:" + region + ":lambda:path/2015-03-31/functions/" + functionARN + "/invocations"
}

// FunctionName is a function named as the Invoke API allows: by name, partial ARN or ARN, with or without a qualifier
// (spec lambda §1).
type FunctionName struct {
	Region, Account string // empty where the name leaves them out
	Name            string
	Qualifier       string // alias, version or $LATEST; empty means $LATEST
}

// functionName follows the pattern of spec lambda §1.
var functionName = regexp.MustCompile(`^(?:arn:aws[a-zA-Z-]*:lambda:)?(?:([a-z]{2}(?:-[a-z]+)+-\d):)?(?:(\d{12}):)?(?:function:)?([a-zA-Z0-9_.-]+)(?::(\$LATEST|[a-zA-Z0-9_-]+))?$`)

// ParseFunctionName reads a function's name, partial ARN or ARN.
func ParseFunctionName(s string) (FunctionName, error) {
	m := functionName.FindStringSubmatch(s)
	if m == nil || len(s) > 256 {
		return FunctionName{}, fmt.Errorf("%q is not a Lambda function name or ARN, such as my-function or arn:aws:lambda:eu-west-1:123456789012:function:my-function", s)
	}
	return FunctionName{Region: m[1], Account: m[2], Name: m[3], Qualifier: m[4]}, nil
}

// ParseLambdaURI returns the function that a Lambda integration URI names (spec events-and-integrations §1.4). The
// name is returned as written: stage variables in it are the caller's to replace before. The path may begin with two
// slashes, as templates copied from Amazon's own have it.
func ParseLambdaURI(uri string) (string, error) {
	rest, ok := strings.CutPrefix(uri, "arn:")
	if parts := strings.SplitN(rest, ":", 5); ok && len(parts) == 5 && parts[1] == "apigateway" && parts[3] == "lambda" {
		path, ok := strings.CutPrefix(parts[4], "path/")
		if path, has := strings.CutPrefix(strings.TrimPrefix(path, "/"), "2015-03-31/functions/"); ok && has {
			if name, ok := strings.CutSuffix(path, "/invocations"); ok && name != "" {
				return name, nil
			}
		}
	}
	return "", fmt.Errorf("%q is not a Lambda integration URI: want arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{functionArn}/invocations", uri)
}

package awsapi

import (
	"strings"

	"cleat/internal/apigw"
)

// InvokeAction is the IAM action of connecting to a WebSocket API (spec events-and-integrations §3).
const InvokeAction = "execute-api:Invoke"

// Partition is the partition that a region is in: "aws", "aws-cn" or "aws-us-gov".
func Partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// ExecuteAPIARN is the ARN of a stage's route, which policies name and authorizers are asked for (spec
// events-and-integrations §3).
func ExecuteAPIARN(region, account string, api apigw.APIID, stage, routeKey string) string {
	return "arn:" + Partition(region) + ":execute-api:" + region + ":" + account + ":" + string(api) + "/" + stage + "/" + routeKey
}

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

// URLSuffix is the domain under which API Gateway and most of a region's services are.
func URLSuffix(region string) string {
	if strings.HasPrefix(region, "cn-") {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

// APIEndpoint is the apiEndpoint of a WebSocket API: where clients reach it on AWS, without a stage (spec control-plane §3).
func APIEndpoint(region string, api apigw.APIID) string {
	return "wss://" + string(api) + ".execute-api." + region + "." + URLSuffix(region)
}

// ExecuteAPIARN is the ARN of a stage's route, which policies name and authorizers are asked for (spec
// events-and-integrations §3).
func ExecuteAPIARN(region, account string, api apigw.APIID, stage, routeKey string) string {
	return "arn:" + Partition(region) + ":execute-api:" + region + ":" + account + ":" + string(api) + "/" + stage + "/" + routeKey
}

// AppendExecuteAPIARN appends an ExecuteAPIARN.
func AppendExecuteAPIARN(dst []byte, region, account string, api apigw.APIID, stage, routeKey string) []byte {
	for _, part := range [...]string{"arn:", Partition(region), ":execute-api:", region, ":", account, ":", string(api), "/", stage, "/", routeKey} {
		dst = append(dst, part...)
	}
	return dst
}

// DomainNameARN is the ARN of a custom domain name.
func DomainNameARN(region, name string) string {
	return "arn:" + Partition(region) + ":apigateway:" + region + "::/domainnames/" + name
}

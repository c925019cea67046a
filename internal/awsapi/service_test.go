package awsapi_test

import (
	"net/url"
	"strings"
	"testing"

	"cleat/internal/awsapi"
)

// TestServiceURI holds how AWS is reached by an integration's URI: spec events-and-integrations §7.
func TestServiceURI(t *testing.T) {
	type want struct {
		url             string // https:// and Host, HostPath, Query
		plain           string // path at a stand-in
		target          string // X-Amz-Target and Content-Type
		service, region string // of the signature
		text            string
	}
	for uri, w := range map[string]want{
		"arn:aws:apigateway:eu-west-1:dynamodb:action/PutItem": {
			"https://dynamodb.eu-west-1.amazonaws.com/?", "/", "DynamoDB_20120810.PutItem application/x-amz-json-1.0", "dynamodb", "eu-west-1", "dynamodb PutItem",
		},
		"arn:aws:apigateway:eu-west-1:streams.dynamodb:action/GetRecords": {
			"https://streams.dynamodb.eu-west-1.amazonaws.com/?", "/", "DynamoDBStreams_20120810.GetRecords application/x-amz-json-1.0", "dynamodb", "eu-west-1", "streams.dynamodb GetRecords",
		},
		"arn:aws-cn:apigateway:cn-north-1:kinesis:action/PutRecord": {
			"https://kinesis.cn-north-1.amazonaws.com.cn/?", "/", "Kinesis_20131202.PutRecord application/x-amz-json-1.1", "kinesis", "cn-north-1", "kinesis PutRecord",
		},
		"arn:aws-us-gov:apigateway:us-gov-west-1:firehose:action/PutRecord": {
			"https://firehose.us-gov-west-1.amazonaws.com/?", "/", "Firehose_20150804.PutRecord application/x-amz-json-1.1", "firehose", "us-gov-west-1", "firehose PutRecord",
		},
		"arn:aws:apigateway:eu-west-1:ssm:action/GetParameter": {
			"https://ssm.eu-west-1.amazonaws.com/?", "/", "AmazonSSM.GetParameter application/x-amz-json-1.1", "ssm", "eu-west-1", "ssm GetParameter",
		},
		"arn:aws:apigateway:eu-west-1:states:action/StartExecution": {
			"https://states.eu-west-1.amazonaws.com/?", "/", "AWSStepFunctions.StartExecution application/x-amz-json-1.0", "states", "eu-west-1", "states StartExecution",
		},
		"arn:aws:apigateway:eu-west-1:states:action/StartSyncExecution": {
			"https://sync-states.eu-west-1.amazonaws.com/?", "/", "AWSStepFunctions.StartSyncExecution application/x-amz-json-1.0", "states", "eu-west-1", "states StartSyncExecution",
		},
		"arn:aws:apigateway:eu-west-1:events:action/PutEvents": {
			"https://events.eu-west-1.amazonaws.com/?", "/", "", "events", "eu-west-1", "events PutEvents",
		},
		"arn:aws:apigateway:eu-west-1:sns:action/Publish&Version=2010-03-31": {
			"https://sns.eu-west-1.amazonaws.com/?Version=2010-03-31", "/", "", "sns", "eu-west-1", "sns Publish",
		},
		"arn:aws:apigateway:eu-west-1:sqs:path/123456789012/jobs": {
			"https://sqs.eu-west-1.amazonaws.com/123456789012/jobs?", "/123456789012/jobs", "", "sqs", "eu-west-1", "sqs /123456789012/jobs",
		},
		"arn:aws:apigateway:eu-west-1:s3:path/bucket/a:b%2Fc?tagging": {
			"https://s3.eu-west-1.amazonaws.com/bucket/a:b%2Fc?tagging", "/bucket/a:b%2Fc", "", "s3", "eu-west-1", "s3 /bucket/a:b%2Fc",
		},
		"arn:aws:apigateway:eu-west-1:my.bucket.s3:path/key": {
			"https://my.bucket.s3.eu-west-1.amazonaws.com/key?", "/my.bucket/key", "", "s3", "eu-west-1", "my.bucket.s3 /key",
		},
		"arn:aws:apigateway:eu-west-1:execute-api:path/a1b2c3d4e5/dev/@connections/x%3D": {
			"https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/dev/@connections/x%3D?", "/a1b2c3d4e5/dev/@connections/x%3D", "", "execute-api", "eu-west-1", "execute-api /a1b2c3d4e5/dev/@connections/x%3D",
		},
		"arn:aws:apigateway:eu-west-1:a1b2c3d4e5.execute-api:path/dev/@connections/x": {
			"https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/dev/@connections/x?", "/a1b2c3d4e5/dev/@connections/x", "", "execute-api", "eu-west-1", "a1b2c3d4e5.execute-api /dev/@connections/x",
		},
		"arn:aws:apigateway:eu-west-1:lambda:path/2014-11-13/functions/f/invoke-async/": {
			"https://lambda.eu-west-1.amazonaws.com/2014-11-13/functions/f/invoke-async/?", "/2014-11-13/functions/f/invoke-async/", "", "lambda", "eu-west-1", "lambda /2014-11-13/functions/f/invoke-async/",
		},
		"arn:aws:apigateway:eu-west-1:runtime.sagemaker:path//endpoints/e/invocations": {
			"https://runtime.sagemaker.eu-west-1.amazonaws.com/endpoints/e/invocations?", "/endpoints/e/invocations", "", "sagemaker", "eu-west-1", "runtime.sagemaker /endpoints/e/invocations",
		},
		"arn:aws:apigateway:eu-west-1:email:action/SendEmail": {
			"https://email.eu-west-1.amazonaws.com/?", "/", "", "ses", "eu-west-1", "email SendEmail",
		},
		"arn:aws:apigateway:eu-west-1:iam:action/ListUsers": {
			"https://iam.amazonaws.com/?", "/", "", "iam", "us-east-1", "iam ListUsers",
		},
		"arn:aws:apigateway:eu-west-1:sometimes:path/": {
			"https://sometimes.eu-west-1.amazonaws.com/?", "/", "", "sometimes", "eu-west-1", "sometimes /",
		},
	} {
		t.Run(uri, func(t *testing.T) {
			u, err := awsapi.ParseServiceURI(uri)
			if err != nil {
				t.Fatal(err)
			}
			got := want{url: "https://" + u.Host() + u.HostPath() + "?" + u.Query, plain: u.PlainPath(), text: u.String()}
			got.service, got.region = u.Scope()
			if target, contentType, ok := u.JSONTarget(); ok {
				got.target = target + " " + contentType
			}
			if got != w {
				t.Errorf("got\n%+v\nwant\n%+v", got, w)
			}
		})
	}
}

func TestServiceURIFaults(t *testing.T) {
	const form = "want arn:aws:apigateway:{region}:{service}:action/{Action} or arn:aws:apigateway:{region}:{service}:path/{path}"
	for uri, want := range map[string]string{
		"": form,
		"https://dynamodb.eu-west-1.amazonaws.com":                         form,
		"arn:aws:lambda:eu-west-1:123456789012:function:f":                 "a function is called by arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{functionArn}/invocations",
		"arn:aws:sqs:eu-west-1:123456789012:jobs":                          "an ARN of sqs, not of apigateway: " + form,
		"arn:aws:apigateway:eu-west-1:dynamodb":                            "5 parts between colons, not 6: " + form,
		"arn:azure:apigateway:eu-west-1:dynamodb:action/PutItem":           `"azure" is not a partition, such as aws`,
		"arn:aws:apigateway::dynamodb:action/PutItem":                      `"" is not a region, such as eu-west-1`,
		"arn:aws:apigateway:eu-west-1::action/PutItem":                     `"" is not a service, such as dynamodb or runtime.sagemaker`,
		"arn:aws:apigateway:eu-west-1:evil.example/#:path/x":               `"evil.example/#" is not a service`,
		"arn:aws:apigateway:eu-west-1:dynamodb:PutItem":                    `"PutItem" is neither action/{Action} nor path/{path}`,
		"arn:aws:apigateway:eu-west-1:dynamodb:action/":                    `"" is not an action's name, such as PutItem`,
		"arn:aws:apigateway:eu-west-1:dynamodb:action/Put Item":            `"Put Item" is not an action's name`,
		"arn:aws:apigateway:eu-west-1:s3:action/GetObject&Bucket=b&Key=k":  "S3 has no actions: want …:s3:path/{bucket}/{key} and an integrationMethod",
		"arn:aws:apigateway:eu-west-1:execute-api:path/evil.example%2F/x":  `"evil.example%2F" is not an API's ID`,
		"arn:aws:apigateway:eu-west-1:s3:path/b/a key":                     "holds a character that a URL cannot bear",
		"arn:aws:apigateway:eu-west-1:s3:path/b/k\r\nX-Evil: 1":            "holds a character that a URL cannot bear",
		"arn:aws:apigateway:eu-west-1:sns:action/Publish&Message=a b&x=#1": "holds a character that a URL cannot bear",
	} {
		t.Run(uri, func(t *testing.T) {
			_, err := awsapi.ParseServiceURI(uri)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want …%s…", err, want)
			}
		})
	}
}

// TestLambdaURISlashes: templates copied from Amazon's own have two slashes.
func TestLambdaURISlashes(t *testing.T) {
	for _, uri := range []string{"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/f/invocations", "arn:aws:apigateway:eu-west-1:lambda:path//2015-03-31/functions/f/invocations"} {
		if got, err := awsapi.ParseLambdaURI(uri); err != nil || got != "f" {
			t.Errorf("%s: got %q, %v", uri, got, err)
		}
	}
}

// FuzzParseServiceURI: what parses makes a URL whose host is one of Amazon's and no other.
func FuzzParseServiceURI(f *testing.F) {
	for _, uri := range []string{
		"arn:aws:apigateway:eu-west-1:dynamodb:action/PutItem", "arn:aws-cn:apigateway:cn-north-1:my.bucket.s3:path/a%2Fb?x=1&y",
		"arn:aws:apigateway:eu-west-1:execute-api:path/a1b2c3d4e5/dev/@connections/x%3D", "arn:aws:apigateway:r:sns:action/Publish&Version=2010-03-31",
	} {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		u, err := awsapi.ParseServiceURI(uri)
		if err != nil {
			return
		}
		host := u.Host()
		made, err := url.Parse("https://" + host + "/")
		if err != nil || made.Host != host || made.Path != "/" || made.RawQuery != "" {
			t.Errorf("host %q: %+v, %v", host, made, err)
		}
		if !strings.Contains(host, ".") || strings.ContainsAny(host, "/@#?") {
			t.Errorf("host %q", host)
		}
	})
}

package backend

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// StaticCredentials returns a provider of a fixed key pair, for RemoteLambdaOptions, and nil when there is no key: then
// the SDK's usual sources are asked. token may be empty.
func StaticCredentials(accessKeyID, secretAccessKey, token string) aws.CredentialsProvider {
	if accessKeyID == "" {
		return nil
	}
	c := aws.Credentials{AccessKeyID: accessKeyID, SecretAccessKey: secretAccessKey, SessionToken: token, Source: "configuration"}
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, nil })
}

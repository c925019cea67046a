package backend

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"cleat/internal/awsapi"
)

// StaticCredentials returns a provider of a fixed key pair, for RemoteLambdaOptions and ServiceSettings, and nil when
// there is no key: then the SDK's usual sources are asked. token may be empty.
func StaticCredentials(accessKeyID, secretAccessKey, token string) aws.CredentialsProvider {
	if accessKeyID == "" {
		return nil
	}
	return staticCredentials{AccessKeyID: accessKeyID, SecretAccessKey: secretAccessKey, SessionToken: token, Source: "configuration"}
}

type staticCredentials aws.Credentials

func (c staticCredentials) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials(c), nil
}

// dummyCredentials sign calls of stand-ins, which accept any.
var dummyCredentials = staticCredentials{AccessKeyID: "local", SecretAccessKey: "local", Source: "stand-in"}

// ours are the SDK's credentials as our signer takes them.
func ours(c aws.Credentials) awsapi.Credentials {
	return awsapi.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
}

// IsAWSHost reports whether a host is one of AWS's own, which alone gets the credentials of the process.
func IsAWSHost(host string) bool {
	return strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn") || strings.HasSuffix(host, ".amazonaws.eu")
}

// processCredentials are those of the AWS SDK's usual sources, which are looked for at the first use. The zero value is
// ready; it is safe for concurrent use.
type processCredentials struct {
	mu    sync.Mutex
	found aws.CredentialsProvider // guarded by mu
}

func (p *processCredentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	provider, err := p.provider(ctx)
	if err != nil {
		return aws.Credentials{}, err
	}
	return provider.Retrieve(ctx)
}

func (p *processCredentials) provider(ctx context.Context) (aws.CredentialsProvider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found == nil {
		cfg, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the AWS configuration: %w", err)
		}
		p.found = cfg.Credentials
	}
	return p.found, nil
}

package awsclient

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"

	"cleat/internal/awsapi"
)

// ErrNoCredentials says that nobody gave any credentials.
var ErrNoCredentials = errors.New("no credentials were found")

// Sources say where credentials and the region come from when nobody names them.
type Sources struct {
	Env     []string // "K=V"; empty: there is nothing to be found anywhere
	Profile string   // of the shared AWS configuration; empty: that of the environment
	// Machine asks the metadata service of the machine too, as a last resort. It is for AWS itself: elsewhere the machine's
	// role says nothing, and off AWS the question costs seconds.
	Machine bool
}

// Static are credentials that are given. An empty ID is none.
func Static(c awsapi.Credentials) func(context.Context) (awsapi.Credentials, error) {
	return func(context.Context) (awsapi.Credentials, error) {
		if c.AccessKeyID == "" {
			return c, ErrNoCredentials
		}
		return c, nil
	}
}

// Getenv is the last value of a variable, empty when it is not set.
func (s Sources) Getenv(name string) string {
	value := ""
	for _, kv := range s.Env {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			value = v
		}
	}
	return value
}

// FromEnv returns the credentials that the environment holds, none of which may be missing.
func (s Sources) FromEnv() (awsapi.Credentials, bool) {
	c := awsapi.Credentials{
		AccessKeyID: s.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: s.Getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: s.Getenv("AWS_SESSION_TOKEN"),
	}
	return c, c.AccessKeyID != "" && c.SecretAccessKey != ""
}

// Credentials returns a function for Options that finds credentials as the AWS CLI does: a Profile that is named, the keys of
// the environment, the profile in the shared files with what it refers to (SSO, roles, a process). They are looked for at the first use and renewed when
// they expire.
func (s Sources) Credentials() func(context.Context) (awsapi.Credentials, error) {
	if c, ok := s.FromEnv(); (ok || len(s.Env) == 0) && s.Profile == "" {
		return Static(c)
	}
	load := sync.OnceValues(func() (aws.Config, error) { return s.load(context.Background()) }) // the files are read; nothing is asked yet
	return func(ctx context.Context) (awsapi.Credentials, error) {
		cfg, err := load()
		if err != nil {
			return awsapi.Credentials{}, err
		}
		if cfg.Credentials == nil {
			return awsapi.Credentials{}, ErrNoCredentials
		}
		c, err := cfg.Credentials.Retrieve(ctx)
		switch {
		case err != nil && s.Profile == "" && !s.Machine && strings.Contains(err.Error(), "EC2 IMDS"):
			return awsapi.Credentials{}, ErrNoCredentials // the chain's last link is switched off
		case err != nil:
			return awsapi.Credentials{}, fmt.Errorf("find credentials: %w", err)
		}
		return awsapi.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
	}
}

// Region is the region that the environment or the profile names, empty when none does.
func (s Sources) Region(ctx context.Context) string {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if r := s.Getenv(name); r != "" {
			return r
		}
	}
	if len(s.Env) == 0 && s.Profile == "" {
		return ""
	}
	cfg, err := s.load(ctx)
	if err != nil {
		return "" // whoever needs credentials will hear of it
	}
	return cfg.Region
}

func (s Sources) load(ctx context.Context) (aws.Config, error) {
	metadata := imds.ClientDisabled
	if s.Machine {
		metadata = imds.ClientDefaultEnableState
	}
	profile := s.Profile
	if profile == "" {
		profile = s.Getenv("AWS_PROFILE")
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithSharedConfigProfile(profile), config.WithEC2IMDSClientEnableState(metadata))
	if err != nil {
		return cfg, fmt.Errorf("read the AWS configuration: %w", err)
	}
	return cfg, nil
}

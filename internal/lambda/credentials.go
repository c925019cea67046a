package lambda

import "cleat/internal/awsapi"

// SetCredentials gives functions credentials of Cleat's in place of those that they would find otherwise; the zero value
// takes them back. A change renews the workers: calls under way end with what they had.
func (p *Pool) SetCredentials(c awsapi.Credentials) {
	if old := p.credentials.Swap(&c); old != nil && *old == c || old == nil && c == (awsapi.Credentials{}) {
		return
	}
	p.Refresh(nil)
}

// elsewhere are the variables that lead SDKs to credentials in other places. Some SDKs look there first.
var elsewhere = []string{
	"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN",
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_SECURITY_TOKEN",
}

// applyCredentials puts the pool's credentials into a worker's environment. What the function itself sets stays.
func (p *Pool) applyCredentials(e, own environment) {
	c := p.credentials.Load()
	if c == nil || c.AccessKeyID == "" {
		return
	}
	for _, name := range elsewhere {
		if _, ok := own[name]; !ok {
			delete(e, name)
		}
	}
	e["AWS_ACCESS_KEY_ID"], e["AWS_SECRET_ACCESS_KEY"] = c.AccessKeyID, c.SecretAccessKey
	delete(e, "AWS_SESSION_TOKEN")
	if c.SessionToken != "" {
		e["AWS_SESSION_TOKEN"] = c.SessionToken
	}
}

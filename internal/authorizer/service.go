package authorizer

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/credentials"
	"cleat/internal/iampolicy"
)

// Access is what somebody asks of a service of the control plane.
type Access struct {
	Service string // in whose scope it must be signed
	// Action and Resource are what policies must allow. An empty Action needs no permission, only a right signature, as
	// sts:GetCallerIdentity does on AWS; an empty Resource is the ARN of who signed.
	Action, Resource string
}

// Authorize decides whether who signed a request may have what it asks for, and returns them with the access key ID that
// they signed with (spec control-plane §1). The error is an *apigw.Error of the kinds of signatures, KindTooManyRequests,
// KindForbidden for users of another account, or KindAccessDenied with AWS's text.
func (i *IAM) Authorize(r *awsapi.SignedRequest, o iampolicy.Origin, q Access) (*credentials.User, string, error) {
	o.Region = i.o.Region
	var claim awsapi.Signature
	user, err := i.authenticate(r, &o, q.Service, &claim)
	if err != nil {
		return nil, "", err
	}
	return user, claim.AccessKeyID, i.permit(user, o, q)
}

// Login decides as Authorize does, by an access key ID and its secret as they are: for browsers and for monitoring that
// cannot sign. Keys with a session token are refused, since there is no place for it.
func (i *IAM) Login(accessKeyID, secret string, o iampolicy.Origin, q Access) (*credentials.User, error) {
	o.Region = i.o.Region
	if err := i.o.Failures.Admit(o.SourceIP, accessKeyID, o.Time); err != nil {
		return nil, err
	}
	user, key, err := i.o.Users.Lookup(accessKeyID, "", o.Time)
	if err == nil {
		// Hashes are of one length, whatever was sent.
		given, want := sha256.Sum256([]byte(secret)), sha256.Sum256([]byte(key.SecretAccessKey))
		if subtle.ConstantTimeCompare(given[:], want[:]) != 1 {
			err = &apigw.Error{Kind: apigw.KindUnrecognizedClient, Err: fmt.Errorf("the secret is not that of access key %s", accessKeyID)}
		}
	}
	if err != nil {
		i.o.Failures.Failed(o.SourceIP, accessKeyID, i.o.Users.Has(accessKeyID), o.Time)
		return nil, err
	}
	i.succeeded(accessKeyID, q.Service, &o)
	return user, i.permit(user, o, q)
}

// permit evaluates the policies of who is known.
func (i *IAM) permit(user *credentials.User, o iampolicy.Origin, q Access) error {
	if i.o.Users == nil || q.Action == "" {
		return nil
	}
	if q.Resource == "" {
		q.Resource = user.ARN
	}
	if user.Account != i.o.Account {
		return &apigw.Error{Kind: apigw.KindForbidden, Err: foreign(user, i.o.Account)}
	}
	result := i.evaluate(user, o, q.Action, q.Resource)
	if result.Decision == iampolicy.Allow {
		return nil
	}
	return &apigw.Error{
		Kind:    apigw.KindAccessDenied,
		Message: fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s%s", user.ARN, q.Action, q.Resource, because(q, result.Decision)),
		Err:     fmt.Errorf("%v", result),
	}
}

// because is the reason that the newer of AWS's services add to a denial; API Gateway is none of them.
func because(q Access, d iampolicy.Decision) string {
	switch {
	case q.Service == "apigateway":
		return ""
	case d == iampolicy.ExplicitDeny:
		return " with an explicit deny in an identity-based policy"
	}
	return " because no identity-based policy allows the " + q.Action + " action"
}

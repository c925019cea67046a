package iamapi

import (
	"cleat/internal/controlapi"
)

const opGetCallerIdentity = "GetCallerIdentity"

// STS returns the STS API. It tells who one is, and gives nobody temporary credentials: roles decide nothing here, so that
// credentials of a role could do nothing, or would have to do more than they say.
func STS() controlapi.Service {
	resource := func(*controlapi.Call) string { return "*" }
	const why = ": Cleat gives out no temporary credentials. Sign with a user's access key."
	ops := []operation{{opGetCallerIdentity, false, resource, getCallerIdentity}}
	for _, name := range []string{"AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML", "GetSessionToken", "GetFederationToken"} {
		ops = append(ops, operation{name, false, resource, notHere(name + why)})
	}
	return table("sts", "https://sts.amazonaws.com/doc/2011-06-15/", ops)
}

func getCallerIdentity(c *controlapi.Call) (any, error) {
	out := struct {
		Arn, UserId, Account string
	}{c.Caller.ARN, c.Caller.UserID, c.Caller.Account}
	if out.Arn == "" { // nobody has to sign, as in "cleat dev"
		out.Arn, out.UserId, out.Account = "arn:"+c.Partition+":iam::"+c.Account+":root", c.Account, c.Account
	}
	return out, nil
}

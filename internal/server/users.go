package server

import (
	"fmt"
	"slices"
	"strings"

	"cleat/internal/authorizer"
	"cleat/internal/awsapi"
	"cleat/internal/credentials"
	"cleat/internal/iampolicy"
)

// functionPolicy is what local functions may do where the management API asks for signatures: push to every connection, as
// the role of a deployed function usually may.
const functionPolicy = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "execute-api:ManageConnections", "Resource": "*"}]}`

// identities are who may sign requests, and what local functions sign with.
type identities struct {
	iam       *authorizer.IAM
	functions awsapi.Credentials // zero: what they find themselves
}

// identitiesOf makes them of a node's settings. own are credentials of this run for functions; they come into play only where
// functions could not call back otherwise. env is the environment that functions inherit.
func identitiesOf(p settings, own awsapi.Credentials, env []string) (identities, error) {
	var out identities
	o := authorizer.IAMOptions{Region: p.Region, Account: awsapi.DefaultAccount, Management: p.Users.Management}
	if len(p.Users.List) == 0 {
		out.iam = authorizer.NewIAM(o)
		return out, nil
	}
	partition := awsapi.Partition(p.Region)
	users := make([]credentials.User, 0, len(p.Users.List)+1)
	for _, u := range p.Users.List {
		c := credentials.User{Name: u.Name, Account: u.Account, Policies: u.Policies}
		if c.Account == "" {
			c.Account = awsapi.DefaultAccount
		}
		c.ARN = "arn:" + partition + ":iam::" + c.Account + ":user/" + c.Name
		for _, k := range u.Keys {
			c.Keys = append(c.Keys, credentials.AccessKey{Credentials: k.Credentials, Disabled: k.Disabled, Expires: k.Expires})
		}
		users = append(users, c)
	}
	if p.Users.Management && !hasKeyOf(users, env) {
		policy, err := iampolicy.Parse([]byte(functionPolicy), iampolicy.UseIdentity)
		if err != nil {
			return out, fmt.Errorf("the policy of local functions: %w", err)
		}
		out.functions = own
		users = append(users, credentials.User{
			Name:     "cleat-functions",
			ARN:      "arn:" + partition + ":sts::" + awsapi.DefaultAccount + ":assumed-role/cleat-functions/local",
			Keys:     []credentials.AccessKey{{Credentials: own}},
			Policies: []*iampolicy.Policy{policy},
		})
	}
	set, err := credentials.NewSet(users)
	if err != nil {
		return out, fmt.Errorf("users: %w", err)
	}
	o.Users = set
	out.iam = authorizer.NewIAM(o)
	return out, nil
}

// hasKeyOf tells whether an environment holds the access key of one of the users: functions sign with that one then.
func hasKeyOf(users []credentials.User, env []string) bool {
	return slices.ContainsFunc(env, func(kv string) bool {
		id, ok := strings.CutPrefix(kv, "AWS_ACCESS_KEY_ID=")
		return ok && slices.ContainsFunc(users, func(u credentials.User) bool {
			return slices.ContainsFunc(u.Keys, func(k credentials.AccessKey) bool { return k.AccessKeyID == id })
		})
	})
}

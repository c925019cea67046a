package access

import (
	"fmt"
	"slices"
	"strings"

	"cleat/internal/authorizer"
	"cleat/internal/awsapi"
	"cleat/internal/credentials"
	"cleat/internal/iampolicy"
	"cleat/internal/identity"
)

// functionPolicy is what local functions may do where the management API asks for signatures: push to every connection and call
// each other, as the role of a deployed function usually may.
const functionPolicy = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["execute-api:ManageConnections", "lambda:InvokeFunction"], "Resource": "*"}]}`

// identities are who may sign requests, and what local functions sign with.
type identities struct {
	iam       *authorizer.IAM
	functions awsapi.Credentials // zero: what they find themselves
	enforced  bool               // the control plane asks for signatures, as the management API does
}

// identitiesOf makes them of a node's settings and of who is in the store.
func (g *Gate) identitiesOf(p Settings, stored []identity.Signer) (identities, error) {
	var out identities
	o := authorizer.IAMOptions{
		Region: p.Region, Account: g.o.Account, Management: p.Users.Management || g.o.Required,
		Failures: &g.failures, Used: g.ids.Used,
	}
	if len(p.Users.List) == 0 && !g.o.Required {
		out.iam = authorizer.NewIAM(o)
		return out, nil
	}
	out.enforced = o.Management
	users, err := usersOf(p, g.o.Account, stored)
	if err != nil {
		return out, err
	}
	if o.Management && !hasKeyOf(users[:len(p.Users.List)], g.o.FunctionEnv) {
		policy, err := iampolicy.Parse([]byte(functionPolicy), iampolicy.UseIdentity)
		if err != nil {
			return out, fmt.Errorf("the policy of local functions: %w", err)
		}
		out.functions = g.own
		users = append(users, credentials.User{
			Name:     "cleat-functions",
			Account:  g.o.Account,
			ARN:      "arn:" + awsapi.Partition(p.Region) + ":sts::" + g.o.Account + ":assumed-role/cleat-functions/local",
			Keys:     []credentials.AccessKey{{Credentials: g.own}},
			Policies: []*iampolicy.Policy{policy},
		})
	}
	if o.Users, err = credentials.NewSet(users); err != nil {
		return out, fmt.Errorf("users: %w", err)
	}
	out.iam = authorizer.NewIAM(o)
	return out, nil
}

// usersOf are the users of cleat.yaml, and after them those of the store, who must have different names and keys.
func usersOf(p Settings, account string, stored []identity.Signer) ([]credentials.User, error) {
	users := make([]credentials.User, 0, len(p.Users.List)+len(stored)+1)
	for _, u := range p.Users.List {
		c := credentials.User{Name: u.Name, Account: u.Account, Policies: u.Policies}
		if c.Account == "" {
			c.Account = account
		}
		c.ARN = "arn:" + awsapi.Partition(p.Region) + ":iam::" + c.Account + ":user/" + c.Name
		for _, k := range u.Keys {
			c.Keys = append(c.Keys, credentials.AccessKey{Credentials: k.Credentials, Disabled: k.Disabled, Expires: k.Expires})
			if i := slices.IndexFunc(stored, func(s identity.Signer) bool { return signerHas(s, k.AccessKeyID) }); i >= 0 {
				return nil, fmt.Errorf("%s: user %s: the node itself keeps access key %s, for user %s: take it away here, or there with \"cleat credentials keys rm\"", u.Place, u.Name, k.AccessKeyID, stored[i].Name)
			}
		}
		if slices.ContainsFunc(stored, func(s identity.Signer) bool {
			return strings.EqualFold(s.Name, u.Name) && c.Account == account
		}) {
			return nil, fmt.Errorf("%s: the node itself keeps a user %s: give this one another name, or delete the other with \"cleat credentials users rm\"", u.Place, u.Name)
		}
		users = append(users, c)
	}
	for _, s := range stored {
		c := credentials.User{Name: s.Name, Account: s.Account, ID: s.ID, ARN: s.ARN, Policies: s.Policies}
		for _, k := range s.Keys {
			c.Keys = append(c.Keys, credentials.AccessKey{Credentials: k.Credentials, Disabled: k.Disabled})
		}
		users = append(users, c)
	}
	return users, nil
}

func signerHas(s identity.Signer, accessKeyID string) bool {
	return slices.ContainsFunc(s.Keys, func(k identity.SignerKey) bool { return k.AccessKeyID == accessKeyID })
}

// hasKeyOf tells whether an environment holds the access key of one of the users: functions sign with that one then. It is asked
// of those of cleat.yaml alone: the administrator's key may be in the environment of whoever starts a node, and is not meant
// for its functions.
func hasKeyOf(users []credentials.User, env []string) bool {
	return slices.ContainsFunc(env, func(kv string) bool {
		id, ok := strings.CutPrefix(kv, "AWS_ACCESS_KEY_ID=")
		return ok && slices.ContainsFunc(users, func(u credentials.User) bool {
			return slices.ContainsFunc(u.Keys, func(k credentials.AccessKey) bool { return k.AccessKeyID == id })
		})
	})
}

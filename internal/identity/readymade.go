package identity

// The names of ready-made policies.
const (
	PolicyAdmin    = "admin"
	PolicyReadOnly = "read-only"
	PolicyPushOnly = "push-only"
	PolicyDeploy   = "deploy"
)

// ReadyMade are policies for the usual kinds of users, by name. They are put as a user's own, like any other document.
// It must not be changed.
var ReadyMade = map[string]string{
	PolicyAdmin: `{
  "Version": "2012-10-17",
  "Statement": { "Effect": "Allow", "Action": "*", "Resource": "*" }
}`,
	PolicyReadOnly: `{
  "Version": "2012-10-17",
  "Statement": [
    { "Effect": "Allow", "Action": ["apigateway:GET", "lambda:Get*", "lambda:List*", "iam:Get*", "iam:List*", "cleat:Describe*", "cleat:Get*", "cleat:List*", "cleat:Read*"], "Resource": "*" },
    { "Effect": "Allow", "Action": "execute-api:ManageConnections", "Resource": ["arn:*:execute-api:*:*:*/GET/@connections", "arn:*:execute-api:*:*:*/GET/@connections/*"] }
  ]
}`,
	PolicyPushOnly: `{
  "Version": "2012-10-17",
  "Statement": { "Effect": "Allow", "Action": "execute-api:ManageConnections", "Resource": "*" }
}`,
	PolicyDeploy: `{
  "Version": "2012-10-17",
  "Statement": { "Effect": "Allow", "Action": ["apigateway:*", "lambda:*", "cleat:*", "iam:*Role*", "iam:ListPolicies", "iam:GetPolicy*", "iam:CreatePolicy*", "iam:DeletePolicy*", "iam:TagPolicy", "iam:UntagPolicy", "iam:ListPolicyTags", "iam:ListPolicyVersions", "iam:SetDefaultPolicyVersion", "iam:ListEntitiesForPolicy"], "Resource": "*" }
}`,
}

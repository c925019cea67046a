// Package identity is who may sign requests to this node, as IAM has it: users with their access keys and inline
// policies, and roles, kept in the store and changed by IAM's rules. Secrets are sealed there, since Signature Version 4
// needs the secrets themselves and no hash of them: who has the store alone, a backup say, has no key.
//
// Roles are kept for those who make roles beside their functions (Terraform, CDK). No permission follows from them, and
// nobody can take one on.
//
// Who may call is decided elsewhere (package authorizer), from what Users returns; how requests and answers look is
// controlapi/iamapi's business. Errors that the caller should see are *apigw.Error with a Code in them.
package identity

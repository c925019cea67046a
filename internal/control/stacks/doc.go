// Package stacks gives CloudFormation templates effect, as deployments of their stacks would (spec control-plane §15):
// everything or nothing, in place, in one commit.
//
// Apply reads a template, evaluates it, and takes its resources into drafts (package draft), whose checks are those of
// single operations; what is wrong is told with its place in the template, all of it at once. What a stack has made is
// kept in a record beside it, by logical ID: so what leaves the template is deleted, and a stack can be described, planned
// for and deleted. Resources that are not API Gateway's are functions, tables to be made elsewhere, or left alone; Ref
// and Fn::GetAtt of them give what AWS would (reference.go).
package stacks

// Package link makes one CloudFormation template of several: of a stack with its nested stacks, and of stacks that import
// what the others export. What is nested gets logical IDs that begin with its stack's; its parameters, conditions,
// mappings and pseudo parameters keep their own scope, and references across the stacks become references within the one
// template. So everything after it, a node's control plane included, deals with a single stack.
//
// It reads no file: its callers, package template and its children, give it what templates say.
package link

// Package cfn is CloudFormation's template language: a tree of values that know where they were written, its reading
// from YAML and JSON (short forms such as !Ref included), the evaluation of intrinsic functions, and the filling of Go
// structs with what comes of it. It knows no resource type. Package project makes templates of whatever a project is
// written in; package stacks gives them effect.
package cfn

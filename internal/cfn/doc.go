// Package cfn is CloudFormation's template language: a tree of values that know where they were written, its reading
// from YAML and JSON (short forms such as !Ref included), and the evaluation of intrinsic functions. It knows no
// resource type. Package project makes templates of whatever a project is written in; package control gives them effect.
package cfn

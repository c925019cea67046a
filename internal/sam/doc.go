// Package sam is the transform AWS::Serverless-2016-10-31: it makes plain CloudFormation of a template written for AWS SAM, with
// the logical IDs that SAM gives what it makes, so that references to those resolve (spec control-plane §17). Functions,
// WebSocket APIs and tables are expanded whole; of what is outside Cleat's field only the names are made, marked as
// generated, and told of by their SAM types.
//
// It reads no file and looks at no code: package template does, which calls it.
package sam

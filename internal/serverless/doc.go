// Package serverless reads a serverless.yml, versions 1 to 4 of the Serverless Framework, and makes of it the CloudFormation
// template that the framework would (spec control-plane §16): functions, their role and logs, the WebSocket API with its stage
// and a deployment, and the project's own resources on top. Every value of the template knows where it was written.
//
// Plugins are named in a warning, never run; of the project's code only JavaScript files of variables are, by package
// variable. The caller is package project, which finds the file.
package serverless

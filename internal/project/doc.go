// Package project reads a project the way its author wrote it (serverless.yml, a SAM or CloudFormation template, cleat.yaml) or
// as a tool left it (cdk.out, .serverless) and turns it into CloudFormation resources, the one form that package stacks gives
// effect to. Every value of the result knows where it was written, and everything that is wrong is reported at once. It finds the
// file and tells its form, reads cleat.yaml itself and lets packages serverless and template read the others; what a cleat.yaml says
// of the node, package config reads.
//
// Plugins and serverless.ts are named in a warning or a fault, never run; of the project's code only JavaScript files of
// variables are, by package variable. The package reads no environment variable of its own accord and opens no network
// connection; the only files it opens are the project's. Callers are the subcommands of cmd/cleat, through package server.
package project

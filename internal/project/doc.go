// Package project reads a project the way its author wrote it (serverless.yml or cleat.yaml) and turns it into
// CloudFormation resources, the one form that package control gives effect to. Every value of the result knows where it
// was written, and everything that is wrong is reported at once.
//
// The package runs no code of the project: plugins, serverless.ts and JavaScript variable files are named in a warning or
// a fault, never executed. It reads no environment variable of its own accord and opens no network connection; the only
// files it opens are the project's. Callers are the subcommands of cmd/cleat, through package server.
package project

// Package awsclient calls HTTP APIs of AWS's kind, on AWS or on a Cleat node: signed requests to one endpoint, paced, tried
// again where that is safe, with answers that are errors turned into words. It knows no service and no operation; the
// command line's commands and package export say what they want in paths and bodies.
package awsclient

// Package integration takes an event to its backend and brings the answer back: it shapes the request as the
// integration says, calls a Lambda function, an AWS service or an HTTP backend, and shapes the
// response (spec events-and-integrations §1, §2 and §5 to §8). Everything an integration says is parsed once, by Compile; what this
// version does not have is refused there, by name. It keeps no connections and sends nothing to clients: package
// gateway calls it and acts on the Result.
package integration

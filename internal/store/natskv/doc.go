// Package natskv keeps a store in a folder, by a NATS server with JetStream inside of this process. No port is opened.
// Whoever opens the folder holds a lock on it until Close.
//
// JetStream's stream is a log, and a commit is one message in it, with all its changes: so a commit is there whole or
// not at all, whenever the process or the machine ends. It is on disk before Commit returns. The values themselves are in
// memory (store.Table), made from the log by Open; what has been overwritten is cleaned out of the log from its beginning
// as it grows (clean.go). Why a commit is not a batch of JetStream's own is told in docs/decisions/0005-store.md.
package natskv

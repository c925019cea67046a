// Package server builds and runs one node out of the packages below it, and owns the order in which its parts start
// and stop. Dev is the node behind "cleat dev". It reads no flags and no environment: its options say everything.
package server

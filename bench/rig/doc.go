// Package rig is what the programs under bench share: servers under test, each in a process of its own, clients that cost
// little, and the figures that the kernel keeps of a process. Everything stays on the loopback interface, and every
// process started here is ended by its ID.
package rig

// Package codezip packs a function's folder into a zip file, always the same for the same files: it is known by its hash, and
// what is on the other side already need not be sent. It reads the folder and writes nothing; "cleat apply" calls it.
package codezip

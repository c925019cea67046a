// Package filelock locks files between processes. The lock is the operating system's: it ends with the process that
// holds it, however that ends.
package filelock

import "os"

// Try locks a file without waiting, until it is closed. It returns false when another holder has it, be it in this
// process through another os.File.
func Try(f *os.File) (bool, error) { return try(f) }

package draft

import (
	"regexp"
	"time"

	"cleat/internal/apigw"
)

var functionName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// CheckFunction says what is wrong with the definition of a function, whichever way it comes: by a template or by Lambda's
// API. Timeout and MemorySize may be zero, for their defaults.
func CheckFunction(f *apigw.Function) Problems {
	var p Problems
	if !functionName.MatchString(f.Name) {
		p.Bad("functionName", "function name %q: want 1 to 64 letters, digits, _ and -", f.Name)
	}
	if f.Runtime == "" {
		p.Bad("runtime", "Runtime is required")
	}
	if f.Handler == "" {
		p.Bad("handler", "Handler is required")
	}
	if f.Timeout != 0 && (f.Timeout < time.Second || f.Timeout > 900*time.Second) {
		p.Bad("timeout", "Timeout must be from 1 to 900 seconds")
	}
	if f.MemorySize != 0 && (f.MemorySize < 128 || f.MemorySize > 10240) {
		p.Bad("memorySize", "MemorySize must be from 128 to 10240 MB")
	}
	return p
}

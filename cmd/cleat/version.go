package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the linker in a release: -X main.version=1.2.3.
var version = ""

type versionCommand struct{}

// Run prints the version, the revision it was built from, and the Go version.
func (versionCommand) Run(p *process) error {
	v, revision := versions()
	_, err := fmt.Fprintf(p.stdout, "cleat %s%s %s %s/%s\n", v, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// versions are the version, and the revision it was built from with a blank before it, if that is known.
func versions() (v, revision string) {
	v = version
	if info, ok := debug.ReadBuildInfo(); ok {
		if v == "" {
			v = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = " " + s.Value
			}
		}
	}
	if v == "" {
		v = "(devel)"
	}
	return v, revision
}

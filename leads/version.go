package leads

import "runtime/debug"

// release is the version that the linker writes into released binaries (.goreleaser.yaml).
var release string

// Version is leadsync's version: that of a released binary, or as the build information has it, a tag or
// a pseudo-version with its commit; "devel" for a build outside of version control.
func Version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}

package leads

import "runtime/debug"

// Version is leadsync's version as the build information has it: a tag or a
// pseudo-version with its commit; "devel" for a build outside of version control.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}

package settings

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/agext/levenshtein"
)

// prefix begins the names of leadsync's own variables.
const prefix = "LEADSYNC_"

// A variable that is called so is not meant for us: tests have their own, and Kubernetes sets some in every container for each Service, so
// for one that is called leadsync, or leadsync-….
var (
	ofTests      = regexp.MustCompile(`^LEADSYNC_TEST_`)
	ofKubernetes = regexp.MustCompile(`^LEADSYNC_(?:[A-Z0-9_]+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$`)
	// LEADSYNC_PORT and LEADSYNC_ADMIN_PORT are of deployments/compose.yaml, too.
	ofServices = regexp.MustCompile(`^LEADSYNC_(?:ADMIN_)?PORT$`)
	// LEADSYNC_BIN names the program for scripts that start it.
	ofScripts = regexp.MustCompile(`^LEADSYNC_BIN$`)
	// The others look like a mistake, such as LEADSYNC_HTTP_PORT=8080, so their value decides.
	ofOtherServices = regexp.MustCompile(`^LEADSYNC_[A-Z0-9_]+_PORT$`)
	ofAService      = regexp.MustCompile(`^(?:tcp|udp|sctp)://`)
)

// foreign tells whether a variable is of somebody else, though its name begins like ours.
func foreign(name, value string) bool {
	return ofTests.MatchString(name) || ofKubernetes.MatchString(name) || ofServices.MatchString(name) || ofScripts.MatchString(name) ||
		ofOtherServices.MatchString(name) && ofAService.MatchString(value)
}

// CheckName refuses a variable of ours that nobody reads: who misspells a name would not notice.
func CheckName(name, value string) error {
	if !strings.HasPrefix(name, prefix) || foreign(name, value) {
		return nil
	}
	if _, known := Find(name); known {
		return nil
	}
	if s, known := Find(strings.TrimSuffix(name, FileSuffix)); known && name != s.Name {
		if s.Secret {
			return nil
		}
		return fmt.Errorf("%s: unknown setting, want %s: only secrets are read from files of their own", name, s.Name)
	}
	if near := nearest(name); near != "" {
		return fmt.Errorf("%s: unknown setting, want %s", name, near)
	}
	return fmt.Errorf("%s: unknown setting, want one of those that `leadsync serve --help` lists", name)
}

// nearest is the name that was probably meant; "" where none is like it.
func nearest(name string) (near string) {
	own := strings.TrimPrefix(name, prefix)
	best := 1 + max(2, len(own)/3)
	for _, known := range Names() {
		candidates := []string{known}
		if s, _ := Find(known); s.Secret {
			candidates = append(candidates, known+FileSuffix)
		}
		for _, candidate := range candidates {
			switch d := levenshtein.Distance(own, strings.TrimPrefix(candidate, prefix), nil); {
			case d < best:
				near, best = candidate, d
			case near == "" && strings.HasPrefix(candidate, name+"_"):
				near = candidate
			}
		}
	}
	return near
}

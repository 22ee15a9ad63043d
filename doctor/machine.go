package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"time"

	"leadsync/guide"
)

// Settings are what the check of the settings looks at.
type Settings struct {
	PublicURL string // "" where Bitrix24 cannot reach us
	Webhook   bool   // a portal is reached by webhooks
	SecretKey bool   // tokens are encrypted
	Nightly   bool   // the nightly pass is on
	Alarms    bool   // somebody is told of problems
	Exposed   string // a settings file with secrets that others can read; "" otherwise
}

// CheckSettings looks for what will not do in the long run. (What is wrong ends every command.)
func CheckSettings(s Settings) Check {
	return check{"settings", func(context.Context) []Finding {
		found := []Finding{ok("all settings can be read")}
		if s.PublicURL == "" && !s.Webhook {
			found = append(found, fault(guide.PublicAddress, "LEADSYNC_PUBLIC_URL is not set", "Bitrix24 cannot send events, and no portal can be connected by an application", "set it to the address at which Bitrix24 reaches leadsync, such as https://leads.example.com"))
		}
		if s.Exposed != "" {
			found = append(found, warning(guide.Exposed, "others than its owner can read "+s.Exposed, "whoever logs in to this machine can use the passwords and tokens in it", "chmod 600 "+s.Exposed))
		}
		if !s.SecretKey {
			found = append(found, warning(guide.NoKey, "LEADSYNC_SECRET_KEY is not set", "whoever reads the database or a backup can use the portals' tokens", "set it to the output of `openssl rand -base64 32`, the same on all machines, and keep a copy"))
		}
		if !s.Nightly {
			found = append(found, warning(guide.Nightly, "LEADSYNC_RECONCILE_AT is off", "nobody notices what events miss", "set a time of day, such as 03:00"))
		}
		if !s.Alarms {
			found = append(found, warning(guide.Alarms, "no LEADSYNC_ALERT_URL and no LEADSYNC_ALERT_SMTP_URL", "without other monitoring nobody hears of a problem", "set one of them, or have Prometheus read /metrics (docs/monitoring.md)"))
		}
		return found
	}}
}

// CheckDirectory looks at the data directory: whether it is there, who may read it, and whether
// this user may write to it.
func CheckDirectory(dir string) Check {
	return check{"data directory", func(context.Context) []Finding {
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return []Finding{warning(guide.DataDirectory, dir+" does not exist", "the first start of `leadsync serve` creates it", "check LEADSYNC_DATA_DIR if the service has run before")}
		case err != nil:
			return []Finding{fault(guide.DataDirectory, dir+" cannot be looked at", "the service cannot start", "give the service's user access to it").because(err)}
		case !info.IsDir():
			return []Finding{fault(guide.DataDirectory, dir+" is not a directory", "the service cannot start", "correct LEADSYNC_DATA_DIR")}
		}
		probe, err := os.CreateTemp(dir, ".doctor-*")
		if err != nil {
			return []Finding{fault(guide.DataDirectory, dir+" cannot be written to", "callbacks cannot be kept when NATS is down", "run doctor as the service's user, and give that user the directory").because(err)}
		}
		err = errors.Join(probe.Close(), os.Remove(probe.Name()))
		switch open := info.Mode().Perm() & 0o077; {
		case err != nil:
			return []Finding{fault(guide.DataDirectory, "a file in "+dir+" cannot be removed", "files of the directory cannot be removed", "give the service's user the directory").because(err)}
		case runtime.GOOS == "windows":
			return []Finding{ok(dir + " can be written to"), unknown("who else may read it: leadsync does not read Windows' access lists; only the service's user and administrators should")}
		case open != 0:
			return []Finding{warning(guide.Exposed, fmt.Sprintf("%s has the permissions %s", dir, info.Mode().Perm()), "other users of this machine may read tokens that are kept there", "chmod 700 "+dir)}
		}
		return []Finding{ok(dir + " can be written to, and by this user only")}
	}}
}

// The room on the disk of the spool: below roomFault callbacks may soon be lost.
const (
	roomFault   = 200 << 20
	roomWarning = 2 << 30 // the spool's limit, and as much again
)

// CheckRoom looks at the room for the spool and the embedded servers. free is the room on the
// disk of a directory, false where that is unknown.
func CheckRoom(dir string, free func(dir string) (int64, bool)) Check {
	return check{"disk", func(context.Context) []Finding {
		room, known := free(dir)
		words := fmt.Sprintf("%d MB are free on the disk of %s", room>>20, dir)
		switch {
		case !known:
			return []Finding{unknown("how much room the disk of " + dir + " has")}
		case room < roomFault:
			return []Finding{fault(guide.Disk, words, "callbacks are lost when it is full and NATS does not answer", "free some space, or move LEADSYNC_DATA_DIR")}
		case room < roomWarning:
			return []Finding{warning(guide.Disk, words, "the spool may grow to 1 GB while NATS or the database is down", "have 2 GB free")}
		}
		return []Finding{ok(words)}
	}}
}

// CheckZone says when the nightly pass starts. next is the next start, zero where it is off; zone is
// the variable TZ. A zone that the machine does not know is taken for UTC, without a word.
func CheckZone(next time.Time, zone string) Check {
	return check{"nightly pass", func(context.Context) []Finding {
		if next.IsZero() {
			return []Finding{warning(guide.Nightly, "switched off", "nobody notices what events miss", "set LEADSYNC_RECONCILE_AT")}
		}
		if _, err := time.LoadLocation(strings.TrimPrefix(zone, ":")); zone != "" && !strings.HasPrefix(zone, "/") && !strings.HasPrefix(zone, ":/") && err != nil {
			return []Finding{fault(guide.Nightly, "TZ is "+zone+", a time zone that this machine does not know", "the pass starts at that time in UTC, perhaps while people work",
				"correct TZ, such as Europe/Moscow, or install the package tzdata")}
		}
		words := "the next one starts at " + next.Format("2006-01-02 15:04 -07:00 (MST)")
		if name, _ := next.Zone(); name == "UTC" { // not +00:00, which is London's winter
			return []Finding{warning(guide.Nightly, words, "the machine's time zone is UTC: a portal elsewhere may be at work then", "set TZ, such as Europe/Moscow, or choose LEADSYNC_RECONCILE_AT in UTC")}
		}
		return []Finding{ok(words)}
	}}
}

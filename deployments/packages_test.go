package deployments_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// packageScript runs a script of the packages, as dpkg and rpm do, on a machine with systemd or without. Nothing of
// this machine is touched.
func packageScript(t *testing.T, shell, name string, systemd bool, environment []string, args ...string) string {
	t.Helper()
	script, err := os.ReadFile(filepath.Join("packages", name))
	if err != nil {
		t.Fatal(err)
	}
	machine := t.TempDir()
	for _, dir := range []string{"bin", "systemd", "data"} {
		if err := os.Mkdir(filepath.Join(machine, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(machine, "bin", "systemctl"), []byte("#!/bin/sh\ncase $1 in is-*) exit ${IDLE:-0} ;; esac\necho \"systemctl $*\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	there := filepath.Join(machine, "none")
	if systemd {
		there = filepath.Join(machine, "systemd")
	}
	places := strings.NewReplacer("/run/systemd/system", there, "/etc/leadsync.env", filepath.Join(machine, "leadsync.env"), "-d /var/lib/leadsync", "-d "+filepath.Join(machine, "data"))
	cmd := exec.CommandContext(t.Context(), shell, append([]string{"-s", "--"}, args...)...)
	cmd.Stdin = strings.NewReader(places.Replace(string(script)))
	cmd.Env = append([]string{"PATH=" + machine + "/bin:/usr/bin:/bin"}, environment...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s %v: %v\n%s", shell, name, args, err, out)
	}
	return string(out)
}

// shells are those that this machine has of the ones that run scripts of packages.
func shells(t *testing.T) []string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the packages are for Linux")
	}
	var found []string
	for _, name := range []string{"sh", "dash", "bash"} {
		if _, err := exec.LookPath(name); err == nil {
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		t.Skip("this machine has no shell")
	}
	return found
}

// Whoever installs a package is told what comes next, in the language of the locale; the commands are the same in both.
func TestPackagesSayWhatComesNext(t *testing.T) {
	const english, russian = "leadsync does not run yet", "leadsync ещё не работает"
	for _, shell := range shells(t) {
		for _, test := range []struct {
			environment string
			want        string
		}{
			{"", english},
			{"LANG=C.UTF-8", english},
			{"LANG=ru_RU.UTF-8", russian},
			{"LANG=ru_RU.UTF-8 LC_MESSAGES=en_US.UTF-8", english},
			{"LANG=en_US.UTF-8 LC_MESSAGES=ru_RU.UTF-8", russian},
			{"LANG=ru_RU.UTF-8 LC_MESSAGES=ru_RU.UTF-8 LC_ALL=C", english},
			{"LANG=C LC_ALL=ru", russian},
			{"LANG=ru_RU.UTF-8 LC_ALL=", russian},
		} {
			for _, args := range [][]string{{"configure", ""}, {"1"}} {
				for systemd, commands := range map[bool][]string{
					true:  {"systemctl daemon-reload\n", "\n  sudo leadsync init ", "\n  sudo systemctl enable --now leadsync\n", "\n  sudo -u leadsync leadsync doctor\n"},
					false: {"\n  leadsync init ", "\n  setpriv --reuid leadsync --regid leadsync --init-groups -- leadsync serve ", "-- leadsync doctor\n"},
				} {
					out := packageScript(t, shell, "postinstall", systemd, strings.Fields(test.environment), args...)
					for _, want := range append(commands, test.want, "docs/ru/install.md") {
						if !strings.Contains(out, want) {
							t.Errorf("%s, %q, systemd %t, %v: %q is missing in:\n%s", shell, test.environment, systemd, args, want, out)
						}
					}
					if !systemd && strings.Contains(out, "systemctl") {
						t.Errorf("%s: without systemd its command is named:\n%s", shell, out)
					}
				}
			}
		}
	}
}

// An upgrade restarts a service that runs, and says nothing.
func TestPackagesAreUpgradedQuietly(t *testing.T) {
	for _, shell := range shells(t) {
		for _, args := range [][]string{{"configure", "0.1.0"}, {"2"}} {
			if out := packageScript(t, shell, "postinstall", true, nil, args...); out != "systemctl daemon-reload\nsystemctl try-restart leadsync.service\n" {
				t.Errorf("%s %v: %q", shell, args, out)
			}
		}
	}
}

// One that was removed is installed again with its service disabled, although dpkg says that it replaces a version.
func TestPackagesThatAreInstalledAgainSayWhatComesNext(t *testing.T) {
	for _, shell := range shells(t) {
		if out := packageScript(t, shell, "postinstall", true, []string{"IDLE=1"}, "configure", "0.1.0"); !strings.Contains(out, "sudo systemctl enable --now leadsync\n") || strings.Contains(out, "try-restart") {
			t.Errorf("%s: %q", shell, out)
		}
	}
}

// A package that goes says in the language of the locale that the data stay.
func TestPackagesSayThatDataStay(t *testing.T) {
	for _, shell := range shells(t) {
		for environment, want := range map[string]string{"LANG=C": "leadsync's data stay in /var/lib/leadsync", "LANG=ru_RU.UTF-8": "Данные leadsync остались в /var/lib/leadsync"} {
			for _, args := range [][]string{{"purge"}, {"0"}} {
				if out := packageScript(t, shell, "postremove", false, []string{environment}, args...); !strings.HasPrefix(out, want) || !strings.Contains(out, "rm -r /var/lib/leadsync && userdel leadsync") {
					t.Errorf("%s %s %v: %q", shell, environment, args, out)
				}
			}
		}
	}
}

package setup

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"leadsync/settings"
)

// readFormer takes over what the file has that is to be replaced: its secret key is needed to read the tokens in the database.
func (s *setup) readFormer() error {
	text, err := os.ReadFile(s.Output)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the former settings file: %w", err)
	}
	values, err := settings.Read(settings.Sources{File: s.Output})
	if err != nil {
		return fmt.Errorf("the former settings file has faults, want them mended or the file moved away:\n%w", err)
	}
	s.former, s.formerAt = map[string]string{}, values.From
	s.formerWebhook, _ = values.Lookup(webhookURL)
	for _, name := range settings.Names() {
		value, set := values.Lookup(name)
		if from := values.From(name); set && !strings.HasPrefix(from, s.Output+":") { // a secret in a file of its own stays there
			name, value = name+settings.FileSuffix, from
		}
		if set {
			s.former[name] = value
			s.answers[name] = value
		}
	}
	s.foreign = foreignLines(string(text))
	return nil
}

// foreignLines are settings of others, such as HTTPS_PROXY for systemd.
func foreignLines(text string) (lines []string) {
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		line = strings.TrimSpace(line)
		name, _, isSetting := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		_, ours := settings.Find(name)
		_, secret := settings.Find(strings.TrimSuffix(name, settings.FileSuffix))
		if isSetting && !strings.ContainsAny(line[:1], "#;") && !ours && !secret {
			lines = append(lines, line)
		}
	}
	return lines
}

// put sets an answer in place of the other form of a secret: the value, or the name of a file that has it.
func (s *setup) put(name, value string) {
	base := strings.TrimSuffix(name, settings.FileSuffix)
	if setting, _ := settings.Find(base); setting.Secret {
		delete(s.answers, base)
		delete(s.answers, base+settings.FileSuffix)
	}
	s.answers[name] = value
}

// had tells whether the former file has a setting, in either form.
func (s *setup) had(name string) bool {
	return s.former[name]+s.former[name+settings.FileSuffix] != ""
}

// has tells whether a setting is set, in either form.
func (s *setup) has(name string) bool {
	return s.answers[name]+s.answers[name+settings.FileSuffix] != ""
}

// from says where a faulty value is to be corrected: in the former file where it is still that of it.
func (s *setup) from(name string) string {
	if s.former == nil || !s.had(name) || s.answers[name] != s.former[name] {
		return settings.FromDefault
	}
	return s.formerAt(name)
}

// keepsKey tells whether the key is that of the former file.
func (s *setup) keepsKey() bool {
	const name = "LEADSYNC_SECRET_KEY"
	return s.had(name) && s.answers[name] == s.former[name] && s.answers[name+settings.FileSuffix] == s.former[name+settings.FileSuffix]
}

// saveFormer gives the former file a second name, so that rights and owner stay, and there is a settings file at any moment. No
// earlier file is replaced: it may have the last copy of a key.
func (s *setup) saveFormer() error {
	if s.former == nil {
		return nil
	}
	s.old = s.Output + ".old"
	for n := 2; ; n++ {
		if _, err := os.Lstat(s.old); err != nil {
			break
		}
		s.old = s.Output + ".old." + strconv.Itoa(n)
	}
	if os.Link(s.Output, s.old) == nil {
		return nil
	}
	return os.Rename(s.Output, s.old) // a file system without links
}

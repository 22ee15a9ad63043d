package setup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"leadsync/settings"
)

// written is what became of the file.
type written struct {
	old    string // the name of the former file; "" where there was none
	closed bool   // nobody but administrators and the service can read it on Windows
}

// write writes the file for its owner alone. One that is there is replaced as a whole.
func write(cfg Config, d *draft) (w written, err error) {
	if w.closed, err = makeFolder(filepath.Dir(cfg.Output), cfg.Standard); err != nil {
		return w, fmt.Errorf("make the folder of the settings file: %w", err)
	}
	f, err := create(cfg)
	if err != nil {
		return w, fmt.Errorf("write the settings file: %w", err)
	}
	_, err = f.WriteString(text(d.answers, d.former.foreign))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = give(f.Name(), cfg.Owner)
	}
	if err == nil && d.former.exists() {
		w.old, err = saveFormer(cfg.Output, os.Link)
	}
	if err == nil {
		err = os.Rename(f.Name(), cfg.Output)
	}
	if err != nil {
		return w, errors.Join(fmt.Errorf("write the settings file %s: %w", cfg.Output, err), ignoreMissing(os.Remove(f.Name())))
	}
	return w, nil
}

// create makes a file that its owner alone can read: the settings file, or one that replaces it.
func create(cfg Config) (*os.File, error) {
	if cfg.Force {
		return os.CreateTemp(filepath.Dir(cfg.Output), ".leadsync-*.env")
	}
	return os.OpenFile(cfg.Output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // nobody's that was made meanwhile
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// text is the file, in the order of the documentation.
func text(a answers, foreign []string) string {
	var text strings.Builder
	text.WriteString("# Settings of leadsync, written by `leadsync init`. They have secrets: only leadsync's user may read this file.\n# Keep a copy of LEADSYNC_SECRET_KEY elsewhere: without it leadsync cannot read the tokens in the database.\n# `leadsync serve --help` lists all settings, `leadsync config show` what is in force.\n")
	for _, group := range settings.Groups {
		first := true
		for _, setting := range group.Settings {
			for _, name := range []string{setting.Name, setting.Name + settings.FileSuffix} {
				value := a[name]
				if value == "" {
					continue
				}
				if first {
					fmt.Fprintf(&text, "\n# %s\n", group.Title)
					first = false
				}
				text.WriteString(settings.Line(name, value) + "\n")
			}
		}
	}
	if len(foreign) > 0 {
		text.WriteString("\n# Not leadsync's, from the former file\n" + strings.Join(foreign, "\n") + "\n")
	}
	return text.String()
}

package setup

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Every text has its values in both languages, and every Russian one is of a text that is used.
func TestTextsAreInBothLanguages(t *testing.T) {
	verb := regexp.MustCompile(`%[a-z]`)
	var sources strings.Builder
	for _, file := range []string{"setup.go", "questions.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sources.Write(text)
	}
	for english, translated := range russian {
		if got, want := verb.FindAllString(translated, -1), verb.FindAllString(english, -1); strings.Join(got, "") != strings.Join(want, "") {
			t.Errorf("%q has the values %v, want %v", translated, got, want)
		}
		used := strings.TrimSuffix(strings.ReplaceAll(english, "\n", `\n`), " [y/N]")
		if english != formText && !strings.Contains(sources.String(), used) {
			t.Errorf("nobody says %q", english)
		}
	}
	// What is said or asked is a text with a translation, or has no words.
	for _, said := range regexp.MustCompile("(?:say|ask|words|yes)\\((?:ctx, )?(\"[^\"]+\"|`[^`]+`)").FindAllStringSubmatch(sources.String(), -1) {
		text := strings.ReplaceAll(said[1][1:len(said[1])-1], `\n`, "\n")
		if strings.Contains(text, "Keep this answer?") || strings.Contains(text, "Accept any") {
			text += " [y/N]"
		}
		if _, ok := russian[text]; !ok && !strings.HasPrefix(text, "  leadsync ") && !strings.HasPrefix(text, "  systemctl") && text != "  %s" {
			t.Errorf("%q has no Russian", text)
		}
	}
}

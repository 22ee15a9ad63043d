package setup

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"leadsync/handlers/language"
)

// What is said or asked is a text with a translation, or has no words.
func TestTextsAreInBothLanguages(t *testing.T) {
	var sources strings.Builder
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sources.Write(text)
	}
	n := 0
	for _, said := range regexp.MustCompile("(?:say|ask|words|yes|refused|New)\\((?:ctx, )?(\"[^\"]+\"|`[^`]+`)").FindAllStringSubmatch(sources.String(), -1) {
		text := strings.ReplaceAll(said[1][1:len(said[1])-1], `\n`, "\n")
		if strings.Contains(text, "Keep this answer?") || strings.Contains(text, "Accept any") {
			text += " [y/N]"
		}
		if n++; !language.Has(language.Russian, text) && !strings.HasPrefix(text, "  leadsync ") && !strings.HasPrefix(text, "  systemctl") && text != "  %s" {
			t.Errorf("%q has no Russian", text)
		}
	}
	if n < 40 || !language.Has(language.Russian, formText) {
		t.Errorf("%d texts were looked at, and the form's has Russian: %t", n, language.Has(language.Russian, formText))
	}
}

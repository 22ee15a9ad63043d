package language

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/leonelquinteros/gotext"
)

//go:embed en.po ru.po
var files embed.FS

// catalogue is what people see, in a language. The English of most texts is in the program and names the Russian.
type catalogue struct {
	texts   map[string]*gotext.Translation
	formats map[string]map[string]*gotext.Translation // of other packages, by context
}

// They are read when somebody needs them: most commands never do.
var (
	inEnglish = sync.OnceValue(func() catalogue { return read("en.po") })
	inRussian = sync.OnceValue(func() catalogue { return read("ru.po") })
)

func read(name string) catalogue {
	po := gotext.NewPoFS(files)
	po.ParseFile(name)
	c := catalogue{po.GetDomain().GetTranslations(), po.GetDomain().GetCtxTranslations()}
	delete(c.texts, "") // the head of the file
	for _, formats := range c.formats {
		delete(formats, "") // the parser leaves it behind
	}
	return c
}

func in(lang string) catalogue {
	if lang == Russian {
		return inRussian()
	}
	return inEnglish()
}

// Say is a text in a language, with its values. What the catalogue lacks, such as the words of an error, stays as it is.
func Say(lang, text string, args ...any) string {
	if t := in(lang).texts[text]; t != nil {
		text = t.Get()
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// Has tells whether the catalogue of a language has a text.
func Has(lang, text string) bool { return in(lang).texts[text] != nil }

// Formats are those of other packages whose sentences are told in other words, by their context: "sentence", or
// "ending" for how one goes on.
func Formats(context string) []string { return slices.Sorted(maps.Keys(inRussian().formats[context])) }

// Format is how a language tells what such a format says; "" where it stays as it is.
func Format(lang, context, format string) string {
	if t := in(lang).formats[context][format]; t != nil {
		return t.Get()
	}
	return ""
}

// Package language chooses the language of a page and has everything that people see, in English and Russian: en.po and
// ru.po, which a translator can edit. It knows no page.
package language

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
)

// The languages of pages, as ISO 639-1 names them.
const (
	English = "en"
	Russian = "ru"
)

// readRussian are languages whose speakers mostly read Russian better than English, as
// browsers and the parameter LANG of a portal name them.
var readRussian = []string{"ru", "be", "by", "kk", "kz", "ky", "uz", "tg"}

// Of is the language that a browser asks for first, where the portal's parameter LANG does
// not say another.
func Of(r *http.Request, lang string) string {
	first, _, _ := strings.Cut(cmp.Or(lang, r.Header.Get("Accept-Language")), ",")
	first, _, _ = strings.Cut(first, ";")
	first, _, _ = strings.Cut(first, "-")
	if slices.Contains(readRussian, strings.ToLower(strings.TrimSpace(first))) {
		return Russian
	}
	return English
}

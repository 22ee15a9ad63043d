package handlers

import (
	"net/http"
	"net/url"
	"strings"
)

// plainPath gives a request the path that it means. People and proxies write the addresses
// in Bitrix24's forms with a slash too many, with percent escapes or in capitals, copy the
// full stop of the sentence in which they stand, append the index.php that PHP sites have,
// or leave the path of the public address before them. A redirect would make a GET without
// a body of a callback. Only the paths that Bitrix24 calls are read so: those of operators
// may be closed in a proxy, by their spelling.
func plainPath(r *http.Request, prefix string) *http.Request {
	plain := strings.TrimSuffix(strings.TrimPrefix(squeezed(r.URL.Path), prefix), "/index.php")
	if !isOurs(plain) || plain == r.URL.Path && r.URL.RawPath == "" {
		return r
	}
	clone := *r
	address := *r.URL
	address.Path, address.RawPath = plain, ""
	clone.URL = &address
	return &clone
}

// isOurs tells the paths that Bitrix24 calls, and what stands below them.
func isOurs(path string) bool { return strings.HasPrefix(path+"/", "/bitrix24/") }

// squeezed is a path in lower case, without empty segments and without what is left over at
// the end of a segment. Two dots are dropped, too, and never climb: no spelling leads out of
// the paths that Bitrix24 calls.
func squeezed(path string) string {
	if again, err := url.PathUnescape(path); err == nil {
		path = again // escaped twice
	}
	var plain strings.Builder
	for segment := range strings.SplitSeq(strings.ReplaceAll(path, `\`, "/"), "/") {
		if segment = strings.Trim(strings.TrimRight(segment, leftOver), invisible); segment != "" {
			plain.WriteString("/" + strings.ToLower(segment))
		}
	}
	return plain.String()
}

const (
	// invisible are spaces, and characters that take no room.
	invisible = " \t\r\n\u00a0\u200b\u200c\u200d\u2060\ufeff"
	// leftOver is also what stands behind an address in a sentence or a listing.
	leftOver = invisible + `.,;:!"'<>()[]«»“”„’`
)

// pathOf is the path of the public address, as squeezed writes it; "" where it has none.
func pathOf(publicURL string) string {
	u, err := url.Parse(publicURL)
	if err != nil {
		return ""
	}
	return squeezed(u.Path)
}

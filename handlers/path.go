package handlers

import (
	"net/http"
	"net/url"
	"strings"
)

// plainPath gives a request the path that it means. People and proxies write the addresses
// in Bitrix24's forms with a slash too many, with percent escapes or in capitals, or leave
// the path of the public address before them. A redirect would make a GET without a body
// of a callback. Only the paths that Bitrix24 calls are read so: those of operators may be
// closed in a proxy, by their spelling.
func plainPath(r *http.Request, prefix string) *http.Request {
	plain := strings.TrimPrefix(squeezed(r.URL.Path), prefix)
	if plain != "/bitrix24" && !strings.HasPrefix(plain, "/bitrix24/") || plain == r.URL.Path && r.URL.RawPath == "" {
		return r
	}
	clone := *r
	address := *r.URL
	address.Path, address.RawPath = plain, ""
	clone.URL = &address
	return &clone
}

// squeezed is a path in lower case, without empty segments. Two dots are left alone: what
// they mean is a proxy's to decide.
func squeezed(path string) string {
	var plain strings.Builder
	for segment := range strings.SplitSeq(path, "/") {
		if segment = strings.TrimSpace(segment); segment != "" && segment != "." {
			plain.WriteString("/" + strings.ToLower(segment))
		}
	}
	return plain.String()
}

// pathOf is the path of the public address, as squeezed writes it; "" where it has none.
func pathOf(publicURL string) string {
	u, err := url.Parse(publicURL)
	if err != nil {
		return ""
	}
	return squeezed(u.Path)
}

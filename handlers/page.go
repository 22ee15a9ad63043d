package handlers

import (
	"cmp"
	"html/template"

	"github.com/labstack/echo/v4"
)

var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="{{.Language}}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}} – leadsync</title>
<style>
body { font: 17px/1.5 system-ui, sans-serif; max-width: 38rem; margin: 15vh auto; padding: 0 1.5rem; color: #222 }
h1 { font-size: 1.5rem; border-left: .4rem solid {{if .Good}}#2a8a3e{{else}}#c0392b{{end}}; padding-left: .8rem }
</style>
<h1>{{.Title}}</h1>
<p>{{.Advice}}</p>
{{if .Link}}<p><a href="{{.Link}}" rel="noreferrer">{{.Label}}</a></p>
{{end -}}
</html>
`))

// pageContent is what a page says.
type pageContent struct {
	Language      string // ISO 639-1
	Title, Advice string
	Link, Label   string // where the person can continue; "" where there is no link
	Good          bool
	Frame         string // the source that may show the page in a frame; "" is nobody
}

// show answers a person at a browser.
func show(c echo.Context, status int, content pageContent) error {
	h := c.Response().Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors "+cmp.Or(content.Frame, "'none'"))
	c.Response().WriteHeader(status)
	return pageTemplate.Execute(c.Response(), content)
}

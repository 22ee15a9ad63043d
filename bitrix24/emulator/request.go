package emulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"leadsync/bitrix24"
)

// maxBody is how many bytes a body may have; the real limit is not documented
// (docs/bitrix24.md 4).
const maxBody = 32 << 20

var errBody = errors.New("the body cannot be read")

// readArgs reads the parameters of a request from its query and its body, in every form of
// docs/bitrix24.md 3.1: GET, form, multipart and JSON, with PHP brackets in names.
func readArgs(r *http.Request) (*bitrix24.Form, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBody, err)
	}
	kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case len(body) == 0:
		return bitrix24.ParseForm(r.URL.RawQuery)
	case strings.HasSuffix(kind, "/json"):
		args, err := bitrix24.ParseForm(r.URL.RawQuery)
		if err != nil {
			return nil, err
		}
		return args, addJSON(args, body)
	case kind == "multipart/form-data":
		form, err := multipartForm(body, params["boundary"])
		if err != nil {
			return nil, err
		}
		return bitrix24.ParseForm(r.URL.RawQuery + "&" + form)
	default:
		return bitrix24.ParseForm(r.URL.RawQuery + "&" + string(body))
	}
}

// addJSON adds the members of a JSON object to a form, in their order, with the values that
// PHP gives them: true is 1, false is 0, null is empty.
func addJSON(args *bitrix24.Form, body []byte) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	first, err := dec.Token()
	if err != nil {
		return fmt.Errorf("%w: %w", errBody, err)
	}
	if d, ok := first.(json.Delim); ok {
		if err := addChildren(dec, args, d); err != nil {
			return fmt.Errorf("%w: %w", errBody, err)
		}
	}
	return nil
}

// addChildren reads what is between an opening bracket and its closing one.
func addChildren(dec *json.Decoder, to *bitrix24.Form, open json.Delim) error {
	for dec.More() {
		name := ""
		if open == '{' {
			key, err := dec.Token()
			if err != nil {
				return err
			}
			name, _ = key.(string)
		}
		token, err := dec.Token()
		if err != nil {
			return err
		}
		text := ""
		switch v := token.(type) {
		case json.Delim:
			if err := addChildren(dec, to.Add(name, ""), v); err != nil {
				return err
			}
			continue
		case string:
			text = v
		case json.Number:
			text = v.String()
		case bool:
			text = "0"
			if v {
				text = "1"
			}
		}
		to.Add(name, text)
	}
	_, err := dec.Token() // the closing bracket
	return err
}

// multipartForm converts a multipart body to a form, in the order of its parts.
func multipartForm(body []byte, boundary string) (string, error) {
	parts := newPartReader(body, boundary)
	var form strings.Builder
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return form.String(), nil
		}
		if err != nil {
			return "", fmt.Errorf("%w: %w", errBody, err)
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return "", fmt.Errorf("%w: %w", errBody, err)
		}
		form.WriteString("&" + url.QueryEscape(part.FormName()) + "=" + url.QueryEscape(string(value)))
	}
}

// route is the parsed path of a REST call.
type route struct {
	method string // lower case, without .json
	user   string // of a webhook
	secret string
}

// parseRoute reads /rest/<method> and /rest/<user>/<secret>/<method>, each with
// or without .json and a trailing slash (docs/bitrix24.md 3.1).
func parseRoute(path string) route {
	parts := strings.Split(strings.Trim(strings.TrimPrefix(path, "/rest"), "/"), "/")
	method := strings.ToLower(strings.TrimSuffix(parts[len(parts)-1], ".json"))
	if len(parts) >= 3 {
		return route{method: method, user: parts[0], secret: parts[1]}
	}
	return route{method: method}
}

func newPartReader(body []byte, boundary string) *multipart.Reader {
	return multipart.NewReader(bytes.NewReader(body), boundary)
}

package console

import (
	"net/http"
	"slices"
)

// Setting is a setting as it is in force.
type Setting struct {
	Name, Value string
	From        string // where the value comes from, as settings.Values.From has it; "" is not known
}

// settingPages are the page of settings.
type settingPages struct{ inForce, about func() []Setting }

func (p settingPages) routes() map[string]route {
	return map[string]route{"GET /settings": find(p.list)}
}

type settingsData struct{ InForce, About []Setting }

// Located tells whether it is known where values come from.
func (d settingsData) Located() bool {
	return slices.ContainsFunc(d.InForce, func(s Setting) bool { return s.From != "" })
}

// list shows what is in force.
func (p settingPages) list(*http.Request) (view, error) {
	return view{page: "settings", data: settingsData{p.inForce(), p.about()}}, nil
}

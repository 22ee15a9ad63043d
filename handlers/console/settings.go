package console

import "net/http"

// Setting is a setting as it is in force.
type Setting struct{ Name, Value string }

// settingPages are the page of settings.
type settingPages struct{ inForce, about func() []Setting }

func (p settingPages) routes() map[string]route {
	return map[string]route{"GET /settings": find(p.list)}
}

type settingsData struct{ InForce, About []Setting }

// list shows what is in force.
func (p settingPages) list(*http.Request) (view, error) {
	return view{page: "settings", data: settingsData{p.inForce(), p.about()}}, nil
}

package emulator

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"leadsync/bitrix24"
)

// userCurrent is user.current (batch.response.success.json).
func userCurrent(c *call) (answer, error) {
	u, now := c.caller.user, c.now.In(c.zone)
	return answer{result: object{
		{"ID", strconv.Itoa(u.id)},
		{"ACTIVE", !u.blocked},
		{"NAME", u.name},
		{"LAST_NAME", u.lastName},
		{"EMAIL", u.email},
		{"LAST_LOGIN", now.Add(-time.Hour).Format(time.RFC3339)},
		{"DATE_REGISTER", time.Unix(firstDay, 0).In(c.zone).Format(time.RFC3339)},
		{"IS_ONLINE", "Y"},
		{"TIMESTAMP_X", now.Add(-time.Hour).Format("02.01.2006 15:04:05")},
		{"LAST_ACTIVITY_DATE", now.Format("2006-01-02 15:04:05")},
		{"PERSONAL_GENDER", u.gender},
		{"PERSONAL_BIRTHDAY", ""},
		{"UF_EMPLOYMENT_DATE", ""},
		{"UF_DEPARTMENT", list{1}},
	}}, nil
}

// departmentGet is department.get. The portal has one department.
func departmentGet(c *call) (answer, error) {
	rows := list{}
	if id := c.text("ID"); id == "" || id == "1" {
		rows = append(rows, object{{"ID", "1"}, {"NAME", "Отдел продаж"}, {"SORT", 500}})
	}
	total := len(rows)
	return answer{result: rows, total: &total}, nil
}

// featureGet is feature.get: what the plan includes (docs/bitrix24.md 2.6).
func featureGet(c *call) (answer, error) {
	value := false
	switch c.text("CODE") {
	case "":
		return answer{}, errArgument("Argument 'CODE' is null or empty")
	case "rest_offline_extended":
		value = !c.cfg.Switches.NoOfflineExtended
	case "rest_auth_connector":
		value = !c.cfg.Switches.NoAuthConnector
	}
	return answer{result: object{{"value", yesNo(value)}}}, nil
}

// methodsList is methods: the names of all methods.
func methodsList(*call) (answer, error) {
	names := make([]string, 0, len(methods))
	for name := range methods {
		names = append(names, name)
	}
	slices.Sort(names)
	return answer{result: names}, nil
}

// methodGet is method.get.
func methodGet(c *call) (answer, error) {
	m, known := methods[strings.ToLower(c.text("name"))]
	return answer{result: object{
		{"isExisting", known},
		{"isAvailable", known && (m.scope == "" || slices.Contains(c.caller.scope, m.scope))},
	}}, nil
}

// eventsList is events: the events that can be bound, of one scope, of the application's
// scopes, or all with FULL.
func eventsList(c *call) (answer, error) {
	full := c.text("FULL")
	all := full != "" && full != "0" && !strings.EqualFold(full, "false")
	scope := c.text("SCOPE")
	names := []string{}
	for _, name := range eventNames {
		of := eventScope(name)
		if all || scope != "" && of == scope || scope == "" && (of == "" || slices.Contains(c.caller.scope, of)) {
			names = append(names, name)
		}
	}
	return answer{result: names}, nil
}

func eventScope(name string) string {
	switch {
	case strings.HasPrefix(name, "ONCRM"):
		return "crm"
	case strings.HasPrefix(name, "ONTASK"):
		return "task"
	case name == "ONUSERADD":
		return "user"
	default:
		return ""
	}
}

// eventTest is event.test: it sends ONAPPTEST with the parameters of the call
// (docs/bitrix24.md 2.2).
func eventTest(c *call) (answer, error) {
	var data [][2]string
	for _, f := range c.args.Children {
		if !strings.EqualFold(f.Name, "auth") {
			data = append(data, flatten("QUERY]["+f.Name, f)...)
		}
	}
	data = append(data, [2]string{"LANGUAGE_ID", "ru"})
	for _, b := range c.bindings.of("ONAPPTEST") {
		c.deliver(&notice{event: "ONAPPTEST", by: c.caller.user.id, to: b, data: data})
	}
	return answer{result: 1}, nil
}

// flatten returns a tree as the keys and values of a form.
func flatten(name string, f *bitrix24.Form) [][2]string {
	if len(f.Children) == 0 {
		return [][2]string{{name, f.Value}}
	}
	var all [][2]string
	for _, c := range f.Children {
		all = append(all, flatten(name+"]["+c.Name, c)...)
	}
	return all
}

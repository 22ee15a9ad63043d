package emulator

import "strings"

// status is one entry of a directory (crm.status.list, docs/bitrix24.md 6.4).
type status struct {
	id, entity, statusID, name, sort, system, color, semantics string
}

var statuses = [...]status{
	{"1", "STATUS", "NEW", "Не обработан", "10", "Y", "#39A8EF", ""},
	{"3", "STATUS", "IN_PROCESS", "В работе", "20", "N", "#2FC6F6", ""},
	{"5", "STATUS", "PROCESSED", "Обработан", "30", "N", "#55D0E0", ""},
	{"7", "STATUS", "UC_7WK3QP", "Ждём оплату", "40", "N", "#FFA900", ""},
	{"9", "STATUS", "CONVERTED", "Качественный лид", "50", "Y", "#7BD500", "S"},
	{"11", "STATUS", "JUNK", "Некачественный лид", "60", "Y", "#FF5752", "F"},
	{"13", "SOURCE", "CALL", "Звонок", "10", "Y", "", ""},
	{"15", "SOURCE", "EMAIL", "Электронная почта", "20", "N", "", ""},
	{"17", "SOURCE", "WEB", "Веб-сайт", "30", "N", "", ""},
	{"19", "SOURCE", "ADVERTISING", "Реклама", "40", "N", "", ""},
	{"21", "SOURCE", "PARTNER", "Существующий клиент", "50", "N", "", ""},
	{"23", "SOURCE", "RECOMMENDATION", "По рекомендации", "60", "N", "", ""},
	{"25", "SOURCE", "TRADE_SHOW", "Выставка", "70", "N", "", ""},
	{"27", "SOURCE", "WEBFORM", "CRM-форма", "80", "Y", "", ""},
	{"29", "SOURCE", "CALLBACK", "Обратный звонок", "90", "Y", "", ""},
	{"31", "SOURCE", "RC_GENERATOR", "Генератор продаж", "100", "Y", "", ""},
	{"33", "SOURCE", "STORE", "Интернет-магазин", "110", "Y", "", ""},
	{"35", "SOURCE", "1", "Авито", "120", "N", "", ""},
	{"37", "SOURCE", "OTHER", "Другое", "130", "N", "", ""},
	{"39", "HONORIFIC", "HNR_RU_1", "г-н", "10", "N", "", ""},
	{"41", "HONORIFIC", "HNR_RU_2", "г-жа", "20", "N", "", ""},
	{"43", "INDUSTRY", "IT", "Информационные технологии", "10", "Y", "", ""},
	{"45", "INDUSTRY", "MANUFACTURING", "Производство", "20", "N", "", ""},
	{"47", "INDUSTRY", "BANKING", "Банковские услуги", "30", "N", "", ""},
}

// semantics is the group of a lead's stage: P in progress, S success, F failure.
func semantics(statusID string) string {
	switch statusID {
	case "CONVERTED":
		return "S"
	case "JUNK":
		return "F"
	default:
		return "P"
	}
}

// show is the row of crm.status.list.
func (s *status) show() object {
	var color, mark any
	extra := object{}
	if s.entity == "STATUS" {
		color = s.color
		group := "process"
		switch s.semantics {
		case "S":
			group = "success"
		case "F":
			group = "failure"
		}
		extra = object{{"SEMANTICS", group}, {"COLOR", s.color}}
	}
	if s.semantics != "" {
		mark = s.semantics
	}
	initial := ""
	if s.system == "Y" {
		initial = s.name
	}
	row := object{
		{"ID", s.id},
		{"ENTITY_ID", s.entity},
		{"STATUS_ID", s.statusID},
		{"NAME", s.name},
		{"NAME_INIT", initial},
		{"SORT", s.sort},
		{"SYSTEM", s.system},
		{"CATEGORY_ID", nil},
		{"COLOR", color},
		{"SEMANTICS", mark},
	}
	if len(extra) > 0 {
		row = append(row, pair{"EXTRA", extra})
	}
	return row
}

// crmStatusList is crm.status.list: filter by equality, order by one field.
func crmStatusList(c *call) (answer, error) {
	filter := c.param("filter")
	rows := list{}
	for i := range statuses {
		row := statuses[i].show()
		if row.matches(filter) {
			rows = append(rows, row)
		}
	}
	total := len(rows)
	sortRows(rows, c.param("order"))
	return answer{result: rows, total: &total}, nil
}

// crmModeGet is crm.settings.mode.get: 1 is the classic mode, the one with leads.
func crmModeGet(c *call) (answer, error) {
	if c.simple() {
		return answer{result: 2}, nil
	}
	return answer{result: 1}, nil
}

// field is the text of a key; "" if it is missing or not a text.
func (o object) field(key string) string {
	for _, p := range o {
		if strings.EqualFold(p.key, key) {
			s, _ := p.val.(string)
			return s
		}
	}
	return ""
}

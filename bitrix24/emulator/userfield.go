package emulator

// userField is one custom field of the leads (docs/bitrix24.md 6.4). Its value is stored as
// text, or as several texts if it is multiple.
type userField struct {
	id       string
	name     string
	typ      string
	sort     string
	multiple bool
	label    string
	settings object
	options  []option // for an enumeration
}

type option struct{ id, sort, value, xmlID string }

// Places of the custom fields: each is the index in userFields.
const (
	ufSolution = iota
	ufNote
	ufBudget
	ufConsent
	ufIndustry
	ufRadio
	ufFiles
	ufRoom
	ufGreeting
	ufNextCall
	ufLinks
)

// userFields are the custom fields of the leads: one for the chosen solution, those of the
// documentation's samples (crm.lead.list.response.json,
// crm.lead.userfield.list.response.json), and fields of two more types.
var userFields = [...]userField{
	ufSolution: {
		id: "153", name: "UF_CRM_1387525788", typ: "string", sort: "100", label: "Выбранное решение",
		settings: stringSettings(""),
	},
	ufNote: {
		id: "5011", name: "UF_CRM_1704817278", typ: "string", sort: "110", label: "Примечание оператора",
		settings: stringSettings(""),
	},
	ufBudget: {
		id: "5233", name: "UF_CRM_1706782596092", typ: "money", sort: "120", label: "Бюджет",
		settings: object{{"DEFAULT_VALUE", ""}},
	},
	ufConsent: {
		id: "5401", name: "UF_CRM_1708952993785", typ: "boolean", sort: "130", label: "Согласие на рассылку",
		settings: object{{"DEFAULT_VALUE", 0}, {"DISPLAY", "CHECKBOX"}, {"LABEL", list{"", ""}}, {"LABEL_CHECKBOX", ""}},
	},
	ufIndustry: {
		id: "5815", name: "UF_CRM_1713790573", typ: "crm_status", sort: "100", multiple: true, label: "Directory",
		settings: object{{"ENTITY_TYPE", "INDUSTRY"}},
	},
	ufRadio: {
		id: "6799", name: "UF_CRM_1724077760", typ: "enumeration", sort: "150", multiple: true, label: "Radio",
		settings: object{{"DISPLAY", "LIST"}, {"LIST_HEIGHT", 1}, {"CAPTION_NO_VALUE", ""}, {"SHOW_NO_VALUE", "Y"}},
		options: []option{
			{"3157", "10", "Children's Radio", "79b4c576f96e65eb40f390e45c0dc802"},
			{"3159", "20", "Shanson Radio", "d3ffd89a825f218f5efd79dffd38fbbf"},
			{"3161", "30", "Love Radio", "dff769fa19d7d7ce8d0677341d221161"},
			{"3163", "40", "Monte Carlo Radio", "1f22e5c818ce336a42bd0ec94eb69b9e"},
			{"3181", "130", "DFM Yuriev-Polsky", "fc1c5e6b4a9fd20b4749240b8dbac41a"},
		},
	},
	ufFiles: {
		id: "6791", name: "UF_CRM_1722578010", typ: "file", sort: "150", multiple: true, label: "Estimate (files)",
		settings: object{
			{"SIZE", 20},
			{"LIST_WIDTH", 0},
			{"LIST_HEIGHT", 0},
			{"MAX_SHOW_SIZE", 0},
			{"MAX_ALLOWED_SIZE", 0},
			{"EXTENSIONS", list{}},
			{"TARGET_BLANK", "Y"},
		},
	},
	ufRoom: {
		id: "5567", name: "UF_CRM_1709565075", typ: "resourcebooking", sort: "1", multiple: true, label: "MEETING ROOM BOOKING",
		settings: roomSettings,
	},
	ufGreeting: {
		id: "6997", name: "UF_CRM_HELLO_WORLD", typ: "string", sort: "2000", multiple: true, label: "Hello, world!",
		settings: stringSettings("Hello, world! Default value"),
	},
	ufNextCall: {
		id: "7015", name: "UF_CRM_NEXT_CALL", typ: "datetime", sort: "2010", label: "Следующий звонок",
		settings: object{{"DEFAULT_VALUE", object{{"TYPE", "NONE"}, {"VALUE", ""}}}, {"USE_SECOND", "Y"}, {"USE_TIMEZONE", "N"}},
	},
	ufLinks: {
		id: "7020", name: "UF_CRM_LINKED", typ: "crm", sort: "2020", multiple: true, label: "Связанные сделки и контакты",
		settings: object{{"LEAD", "N"}, {"CONTACT", "Y"}, {"COMPANY", "Y"}, {"DEAL", "Y"}},
	},
}

func stringSettings(value string) object {
	return object{
		{"SIZE", 20},
		{"ROWS", 10},
		{"REGEXP", ""},
		{"MIN_LENGTH", 0},
		{"MAX_LENGTH", 0},
		{"DEFAULT_VALUE", value},
	}
}

var roomSettings = object{
	{"USE_USERS", "N"},
	{"USE_RESOURCES", "Y"},
	{"RESOURCES", object{{"resource", object{
		{"XML_ID", "resource"},
		{"NAME", "resource"},
		{"SECTIONS", list{object{{"ID", "7"}, {"CAL_TYPE", "resource"}, {"NAME", "Museum Hall"}}}},
	}}}},
	{"SELECTED_RESOURCES", list{object{{"type", "resource"}, {"id", "7"}, {"title", "Museum Hall"}}}},
	{"SELECTED_USERS", list{}},
	{"FULL_DAY", "N"},
	{"ALLOW_OVERBOOKING", "Y"},
	{"USE_SERVICES", "N"},
	{"SERVICE_LIST", list{object{{"name", ""}, {"duration", "60"}}}},
	{"RESOURCE_LIMIT", -1},
	{"TIMEZONE", "Europe/Moscow"},
	{"USE_USER_TIMEZONE", "N"},
}

// yesNo writes a flag as a portal does.
func yesNo(yes bool) string {
	if yes {
		return "Y"
	}
	return "N"
}

package emulator

// kind says how a standard field is stored and how an empty one is shown: Bitrix24 uses null,
// "", "0" and false (docs/bitrix24.md 6.3).
type kind uint8

const (
	kindText    kind = iota // "text", empty null
	kindName                // "text", empty "": NAME in the documentation's sample
	kindRef                 // "12"; empty null, or "0" if that was written
	kindFlag                // "Y" or "N"
	kindDouble              // "15000.00", empty "0.00"
	kindDate                // a day as ISO 8601 at midnight UTC, empty ""
	kindTime                // an instant, stored apart from the texts; empty ""
	kindDerived             // computed from other fields
	kindID
)

// field is one standard field of a lead (docs/bitrix24.md 6.4).
type field struct {
	name       string
	kind       kind
	typ        string // as crm.lead.fields names it
	title      string
	readOnly   bool
	statusType string // the directory of a crm_status
}

// Places of the fields: each is the index in leadFields.
const (
	fieldID = iota
	fieldTitle
	fieldHonorific
	fieldName
	fieldSecondName
	fieldLastName
	fieldCompanyTitle
	fieldCompanyID
	fieldContactID
	fieldReturn
	fieldBirthdate
	fieldSource
	fieldSourceText
	fieldStatus
	fieldStatusText
	fieldPost
	fieldComments
	fieldCurrency
	fieldOpportunity
	fieldManual
	fieldHasPhone
	fieldHasEmail
	fieldHasImol
	fieldAssigned
	fieldCreatedBy
	fieldModifiedBy
	fieldCreated
	fieldModified
	fieldClosed
	fieldSemantic
	fieldOpened
	fieldOriginator
	fieldOrigin
	fieldMovedBy
	fieldMoved
	fieldAddress
	fieldAddress2
	fieldCity
	fieldPostalCode
	fieldRegion
	fieldProvince
	fieldCountry
	fieldCountryCode
	fieldLocation
	fieldUTMSource
	fieldUTMMedium
	fieldUTMCampaign
	fieldUTMContent
	fieldUTMTerm
	fieldActivityBy
	fieldActivity
	standardFields // their number
)

// leadFields are the standard scalar fields in the order in which crm.lead.get
// shows them (examples: crm.lead.get.response.json).
var leadFields = [standardFields]field{
	fieldID:           {name: "ID", kind: kindID, typ: "integer", title: "ID", readOnly: true},
	fieldTitle:        {name: "TITLE", typ: "string", title: "Lead Title"},
	fieldHonorific:    {name: "HONORIFIC", typ: "crm_status", title: "Salutation", statusType: "HONORIFIC"},
	fieldName:         {name: "NAME", kind: kindName, typ: "string", title: "First Name"},
	fieldSecondName:   {name: "SECOND_NAME", typ: "string", title: "Middle Name"},
	fieldLastName:     {name: "LAST_NAME", typ: "string", title: "Last Name"},
	fieldCompanyTitle: {name: "COMPANY_TITLE", typ: "string", title: "Company Name"},
	fieldCompanyID:    {name: "COMPANY_ID", kind: kindRef, typ: "crm_company", title: "Company"},
	fieldContactID:    {name: "CONTACT_ID", kind: kindRef, typ: "crm_contact", title: "Contact"},
	fieldReturn:       {name: "IS_RETURN_CUSTOMER", kind: kindFlag, typ: "char", title: "Returning Lead", readOnly: true},
	fieldBirthdate:    {name: "BIRTHDATE", kind: kindDate, typ: "date", title: "Birthdate"},
	fieldSource:       {name: "SOURCE_ID", typ: "crm_status", title: "Source", statusType: "SOURCE"},
	fieldSourceText:   {name: "SOURCE_DESCRIPTION", typ: "string", title: "Source Description"},
	fieldStatus:       {name: "STATUS_ID", typ: "crm_status", title: "Stage", statusType: "STATUS"},
	fieldStatusText:   {name: "STATUS_DESCRIPTION", typ: "string", title: "Stage Description"},
	fieldPost:         {name: "POST", typ: "string", title: "Position"},
	fieldComments:     {name: "COMMENTS", typ: "string", title: "Comments"},
	fieldCurrency:     {name: "CURRENCY_ID", typ: "crm_currency", title: "Currency"},
	fieldOpportunity:  {name: "OPPORTUNITY", kind: kindDouble, typ: "double", title: "Amount"},
	fieldManual:       {name: "IS_MANUAL_OPPORTUNITY", kind: kindFlag, typ: "char", title: "IS_MANUAL_OPPORTUNITY"},
	fieldHasPhone:     {name: "HAS_PHONE", kind: kindDerived, typ: "char", title: "Phone Provided", readOnly: true},
	fieldHasEmail:     {name: "HAS_EMAIL", kind: kindDerived, typ: "char", title: "Email Provided", readOnly: true},
	fieldHasImol:      {name: "HAS_IMOL", kind: kindDerived, typ: "char", title: "Open Line Assigned", readOnly: true},
	fieldAssigned:     {name: "ASSIGNED_BY_ID", kind: kindRef, typ: "user", title: "Responsible User"},
	fieldCreatedBy:    {name: "CREATED_BY_ID", kind: kindRef, typ: "user", title: "Created By", readOnly: true},
	fieldModifiedBy:   {name: "MODIFY_BY_ID", kind: kindRef, typ: "user", title: "Modified By", readOnly: true},
	fieldCreated:      {name: "DATE_CREATE", kind: kindTime, typ: "datetime", title: "Creation Date", readOnly: true},
	fieldModified:     {name: "DATE_MODIFY", kind: kindTime, typ: "datetime", title: "Modification Date", readOnly: true},
	fieldClosed:       {name: "DATE_CLOSED", kind: kindTime, typ: "datetime", title: "Closing Date", readOnly: true},
	fieldSemantic:     {name: "STATUS_SEMANTIC_ID", kind: kindDerived, typ: "string", title: "Status Semantic", readOnly: true},
	fieldOpened:       {name: "OPENED", kind: kindFlag, typ: "char", title: "Available to All"},
	fieldOriginator:   {name: "ORIGINATOR_ID", typ: "string", title: "External Source"},
	fieldOrigin:       {name: "ORIGIN_ID", typ: "string", title: "Identifier in External Source"},
	fieldMovedBy:      {name: "MOVED_BY_ID", kind: kindRef, typ: "user", title: "MOVED_BY_ID", readOnly: true},
	fieldMoved:        {name: "MOVED_TIME", kind: kindTime, typ: "datetime", title: "MOVED_TIME", readOnly: true},
	fieldAddress:      {name: "ADDRESS", typ: "string", title: "Address"},
	fieldAddress2:     {name: "ADDRESS_2", typ: "string", title: "Address (Line 2)"},
	fieldCity:         {name: "ADDRESS_CITY", typ: "string", title: "City"},
	fieldPostalCode:   {name: "ADDRESS_POSTAL_CODE", typ: "string", title: "Postal Code"},
	fieldRegion:       {name: "ADDRESS_REGION", typ: "string", title: "Region"},
	fieldProvince:     {name: "ADDRESS_PROVINCE", typ: "string", title: "Province"},
	fieldCountry:      {name: "ADDRESS_COUNTRY", typ: "string", title: "Country"},
	fieldCountryCode:  {name: "ADDRESS_COUNTRY_CODE", typ: "string", title: "Country Code"},
	fieldLocation:     {name: "ADDRESS_LOC_ADDR_ID", kind: kindRef, typ: "integer", title: "Location Address ID"},
	fieldUTMSource:    {name: "UTM_SOURCE", typ: "string", title: "Advertising System"},
	fieldUTMMedium:    {name: "UTM_MEDIUM", typ: "string", title: "Traffic Type"},
	fieldUTMCampaign:  {name: "UTM_CAMPAIGN", typ: "string", title: "Campaign Identifier"},
	fieldUTMContent:   {name: "UTM_CONTENT", typ: "string", title: "Campaign Content"},
	fieldUTMTerm:      {name: "UTM_TERM", typ: "string", title: "Campaign Search Term"},
	fieldActivityBy:   {name: "LAST_ACTIVITY_BY", kind: kindRef, typ: "user", title: "LAST_ACTIVITY_BY", readOnly: true},
	fieldActivity:     {name: "LAST_ACTIVITY_TIME", kind: kindTime, typ: "datetime", title: "LAST_ACTIVITY_TIME", readOnly: true},
}

// multiTypes are the multifields in the order in which a lead shows them
// (docs/bitrix24.md 7); multiTitles are their names in crm.lead.fields.
var (
	multiTypes  = [...]string{"PHONE", "EMAIL", "WEB", "IM", "LINK"}
	multiTitles = [...]string{"Phone", "E-mail", "Website", "Messenger", "LINK"}
)

const (
	multiPhone = iota
	multiEmail
	multiWeb
	multiIM
	multiLink
)

// fieldByName is a field's place by its name in upper case. Standard fields come first, then
// the custom ones from standardFields on, in the order of userFields.
var fieldByName = func() map[string]int {
	m := make(map[string]int, standardFields+len(userFields))
	for i := range leadFields {
		m[leadFields[i].name] = i
	}
	for i := range userFields {
		m[userFields[i].name] = standardFields + i
	}
	return m
}()

// multiByName finds a multifield's place by its name.
func multiByName(name string) (int, bool) {
	for i, t := range multiTypes {
		if t == name {
			return i, true
		}
	}
	return 0, false
}

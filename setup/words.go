package setup

import "leadsync/handlers/language"

// formText is what Bitrix24's form asks for.
const formText = `
In Bitrix24: Developer resources → Other → Local application
  handler path               %s
  initial installation path  %s
  tick «Uses API only», permission CRM (crm), save.
leadsync must run before you save: Bitrix24 calls it at once.
`

// words are a text in the language of the person; what trials find is in English, as in the log.
func (s *setup) words(format string, args ...any) string {
	return language.Say(s.Language, format, args...)
}

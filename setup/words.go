package setup

import (
	"fmt"

	"leadsync/handlers/language"
)

// formText is what Bitrix24's form asks for.
const formText = `
In Bitrix24: Developer resources → Other → Local application
  handler path               %s
  initial installation path  %s
  tick «Uses API only», permission CRM (crm), save.
leadsync must run before you save: Bitrix24 calls it at once.
`

// russian are the words of questions and of what comes next; what trials find is in English, as in the log.
var russian = map[string]string{ //nolint:gosec // these are words for secrets
	formText: `
В Битрикс24: Разработчикам → Другое → Локальное приложение
  путь вашего обработчика            %s
  путь для первоначальной установки  %s
  отметьте «Использует только API», права CRM (crm), сохраните.
leadsync должен работать до сохранения: Битрикс24 сразу к нему обращается.
`,
	"leadsync's settings are asked for and tried one after the other; Ctrl-C ends this, and nothing is written.":       "Сейчас leadsync спросит настройки и сразу проверит каждую; Ctrl-C прерывает, тогда ничего не записывается.",
	"Something does not work yet (see «fault»). Keep this answer? [y/N]":                                               "Что-то пока не работает (см. «fault»). Оставить этот ответ? [д/Н]",
	"This machine does not know who has signed the server's certificate. Accept any certificate of this server? [y/N]": "Эта машина не знает, кем подписан сертификат сервера. Принимать любой сертификат этого сервера? [д/Н]",
	`SQL Server: its host, host:port or host\instance (Enter: a SQLite file in %s)`:                                    `SQL Server: имя машины, имя:порт или имя\экземпляр (Enter – файл SQLite в %s)`,
	"Name of the database (Enter: oktell)":                                                                             "Имя базы данных (Enter – oktell)",
	"Login (Enter: the Windows account under which leadsync runs)":                                                     "Логин (Enter – учётная запись Windows, под которой работает leadsync)",
	"Its password (not shown)": "Пароль (не показывается)",
	"Address at which Bitrix24 reaches leadsync, such as https://leads.example.com (Enter: none yet)":                                                   "Адрес, по которому Битрикс24 достигает leadsync, например https://leads.example.com (Enter – пока нет)",
	"The portal's address, such as company.bitrix24.ru, or the whole inbound webhook, if there is one (Enter: the first portal that installs leadsync)": "Адрес портала, например company.bitrix24.ru, или входящий вебхук целиком, если он есть (Enter – первый портал, который установит leadsync)",
	"The outgoing webhook's token, as Bitrix24 shows it (not shown here)":                                                                               "Токен исходящего вебхука, как его показывает Битрикс24 (здесь не показывается)",
	"The inbound webhook, https://portal/rest/<user>/<secret>/":                                                                                         "Входящий вебхук, https://портал/rest/<пользователь>/<код>/",
	"client_id, if the form has shown it already (Enter: later)":                                                                                        "client_id, если форма его уже показала (Enter – позже)",
	" (not shown)":                        " (не показывается)",
	"\nWritten: %s, readable by %s only.": "\nЗаписано: %s, читать может только %s.",
	"you":                                 "этот пользователь",
	"Keep a copy of LEADSYNC_SECRET_KEY elsewhere: without it leadsync cannot read the tokens in the database.": "Храните копию LEADSYNC_SECRET_KEY в другом месте: без него leadsync не прочитает токены в базе.",
	"The outgoing webhook in Bitrix24 calls this address:\n  %s":                                                "Исходящий вебхук в Битрикс24 вызывает этот адрес:\n  %s",
	"\nNext:": "\nДальше:",
	"  save the form of the local application in Bitrix24, then put client_id and client_secret into the file, where they are missing, and restart leadsync within the hour": "  сохраните форму локального приложения в Битрикс24, затем впишите client_id и client_secret в файл, если их там нет, и в течение часа перезапустите leadsync",
}

// words are a text in the language of the person.
func (s *setup) words(format string, args ...any) string {
	if translated, ok := russian[format]; ok && s.Language == language.Russian {
		format = translated
	}
	if len(args) == 0 {
		return format
	}
	return fmt.Sprintf(format, args...)
}

package handlers

import (
	"net/http"

	"leadsync/handlers/language"
	"leadsync/leads"
	"leadsync/portals"
)

// answer is what is answered for a reason. Callbacks get the status alone; people at a
// browser get a page.
type answer struct {
	status int
	en, ru words
	// explained pages show the words of the decision, too.
	explained bool
	// framed pages are shown inside the portal, whoever asks.
	framed bool
}

// words are what a page says.
type words struct{ title, advice string }

// answers is the one place that maps reasons to HTTP.
var answers = map[portals.Reason]answer{
	portals.Accepted:       {status: http.StatusOK},
	portals.Unparsable:     {status: http.StatusBadRequest},
	portals.TooLong:        {status: http.StatusRequestEntityTooLarge},
	portals.UnknownPortal:  {status: http.StatusForbidden},
	portals.WrongToken:     {status: http.StatusForbidden},
	portals.TokenNotLearnt: {status: http.StatusForbidden},
	portals.NotVerified:    {status: http.StatusForbidden},
	portals.TooMany:        {status: http.StatusTooManyRequests},
	portals.NotStored:      {status: http.StatusInternalServerError},
	portals.Forged:         {status: http.StatusOK}, // it was answered before it could be checked
	portals.UnknownEvent:   {status: http.StatusOK},
	portals.RobotWebhook:   {status: http.StatusBadRequest},
	portals.NotAForm:       {status: http.StatusUnsupportedMediaType},
	portals.WrongAddress:   {status: http.StatusNotFound},
	portals.UnknownPath: {
		status: http.StatusNotFound,
		en:     words{"Nothing here", "leadsync has no page at this address. Callbacks go to " + leads.CallbackPath + ", log-ins begin at " + leads.LoginPath + "."},
		ru:     words{"Здесь ничего нет", "По этому адресу у leadsync нет страницы. События идут на " + leads.CallbackPath + ", вход начинается с " + leads.LoginPath + "."},
	},
	portals.WrongMethod: {
		status: http.StatusMethodNotAllowed,
		en:     words{"This address is for Bitrix24", "leadsync answers here: Bitrix24 posts its events to this address. There is nothing to see in a browser."},
		ru:     words{"Это адрес для Битрикс24", "leadsync отвечает: на этот адрес Битрикс24 присылает события. В браузере здесь смотреть нечего."},
	},
	portals.ApplicationPage: {
		status: http.StatusOK, framed: true, // some proxies replace the page of any other status
		en: words{
			"Tick “Uses API only”",
			"leadsync works in the background and has no page inside Bitrix24. Open this application in “Developer resources”, tick “Uses API only” and save the form again. " +
				"Bitrix24 then calls leadsync, and the import starts.",
		},
		ru: words{
			"Отметьте «Использует только API»",
			"leadsync работает в фоне, своей страницы в Битрикс24 у него нет. Откройте это приложение в разделе «Разработчикам», отметьте «Использует только API» (Uses API only) " +
				"и сохраните форму ещё раз. Тогда Битрикс24 вызовет leadsync, и начнётся импорт.",
		},
	},
	portals.Unavailable: {
		status: http.StatusServiceUnavailable,
		en:     words{"The database does not answer", "Begin again in a minute. Operators see at /readyz what is failing."},
		ru:     words{"База данных не отвечает", "Начните снова через минуту. Что не работает, операторы видят на /readyz."},
	},
	portals.NotStarted: {
		status: http.StatusForbidden,
		en:     words{"This log-in was not started here", "Begin again in this browser, and finish within 15 minutes."},
		ru:     words{"Этот вход начат не здесь", "Начните снова в этом браузере и закончите за 15 минут."},
	},
	portals.NotAdministrator: {
		status: http.StatusForbidden,
		en: words{
			"An administrator has to log in",
			"You are logged in at the portal as a user who does not administer it. leadsync would lose rights that it needs, so it keeps the connection that works. " +
				"Let an administrator of the portal open this link.",
		},
		ru: words{
			"Войти должен администратор",
			"Вы вошли на портал не как администратор. leadsync потерял бы нужные ему права, поэтому действующее подключение остаётся прежним. " +
				"Пусть эту ссылку откроет администратор портала.",
		},
	},
	portals.BadDomain: {
		status: http.StatusBadRequest,
		en:     words{"Which portal?", "Open this address with the portal's host name: " + leads.LoginPath + "?domain=example.bitrix24.com"},
		ru:     words{"Какой портал?", "Откройте этот адрес с именем портала: " + leads.LoginPath + "?domain=example.bitrix24.ru"},
	},
	portals.NoApplication: {
		status: http.StatusServiceUnavailable,
		en: words{
			"leadsync has no application yet",
			"Set LEADSYNC_B24_CLIENT_ID and LEADSYNC_B24_CLIENT_SECRET to what Bitrix24 shows for the local application, and start leadsync again.",
		},
		ru: words{
			"У leadsync ещё нет приложения",
			"Задайте LEADSYNC_B24_CLIENT_ID и LEADSYNC_B24_CLIENT_SECRET: их показывает Битрикс24 в форме локального приложения. Затем перезапустите leadsync.",
		},
	},
	portals.NotServed: {
		status: http.StatusForbidden, explained: true,
		en: words{"This portal is not served here", ""}, ru: words{"Этот портал здесь не обслуживается", ""},
	},
	portals.UntrustedServer: {
		status: http.StatusForbidden, explained: true,
		en: words{"The authorization server is unknown", ""}, ru: words{"Неизвестный сервер авторизации", ""},
	},
	portals.CodeExpired: {
		status: http.StatusBadGateway,
		en:     words{"The code is no longer valid", "Bitrix24's codes live 30 seconds. Begin again."},
		ru:     words{"Код больше не действует", "Коды Битрикс24 живут 30 секунд. Начните снова."},
	},
	portals.WrongApplication: {
		status: http.StatusBadGateway,
		en:     words{"Bitrix24 does not know this application", "Check LEADSYNC_B24_CLIENT_ID and LEADSYNC_B24_CLIENT_SECRET against the application's form."},
		ru:     words{"Битрикс24 не знает этого приложения", "Сверьте LEADSYNC_B24_CLIENT_ID и LEADSYNC_B24_CLIENT_SECRET с формой приложения."},
	},
	portals.LoginFailed: {
		status: http.StatusBadGateway,
		en:     words{"Bitrix24 could not be reached", "Begin again in a minute. The log says what went wrong."},
		ru:     words{"Битрикс24 не ответил", "Начните снова через минуту. Причина записана в журнале."},
	},
}

// answerTo is 500 for a reason that has no answer yet.
func answerTo(reason portals.Reason) answer {
	if a, ok := answers[reason]; ok {
		return a
	}
	return answer{status: http.StatusInternalServerError, en: words{"leadsync cannot answer this", reason.String()}, ru: words{"leadsync не может ответить", reason.String()}}
}

// in is what the answer's page says in a language.
func (a answer) in(lang string) words {
	if lang == language.Russian {
		return a.ru
	}
	return a.en
}

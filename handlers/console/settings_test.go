package console_test

import "testing"

// What is not shown is named in the reader's language.
func TestSecretsAreNamedInTheReadersLanguage(t *testing.T) {
	o := open(t, furnished("plain"))
	wantInOrder(t, o.page("/settings"), "LEADSYNC_SECRET_KEY", ">[redacted]<")
	wantInOrder(t, o.page("/settings", "Accept-Language", "ru"), "LEADSYNC_SECRET_KEY", ">[скрыто]<")
}

// A value that somebody wants to change is looked for where it comes from.
func TestSettingsSayWhereTheyComeFrom(t *testing.T) {
	o := open(t, furnished("plain"))
	wantInOrder(t, o.page("/settings"), ">From<", "LEADSYNC_X", ">environment<", ">default<", ">file /etc/leadsync.env, line 7<", ">file /run/secrets/api<")
	wantInOrder(t, o.page("/settings", "Accept-Language", "ru"), ">Откуда<", ">окружение<", ">по умолчанию<", ">файл /etc/leadsync.env, строка 7<", ">файл /run/secrets/api<")
}

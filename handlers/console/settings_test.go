package console_test

import "testing"

// What is not shown is named in the reader's language.
func TestSecretsAreNamedInTheReadersLanguage(t *testing.T) {
	o := open(t, furnished("plain"))
	wantInOrder(t, o.page("/settings"), "LEADSYNC_SECRET_KEY", ">[redacted]<")
	wantInOrder(t, o.page("/settings", "Accept-Language", "ru"), "LEADSYNC_SECRET_KEY", ">[скрыто]<")
}

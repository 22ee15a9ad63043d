// Package handlers is the HTTP face: Bitrix24's callbacks, the OAuth redirect, the call
// centre's questions, health and metrics. A callback is parsed, verified, published and
// answered; nothing else happens in its request, because Bitrix24 punishes slow handlers
// and never retries. Echo appears nowhere else. It must not know SQL.
package handlers

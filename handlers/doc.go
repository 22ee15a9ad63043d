// Package handlers answers HTTP on two faces. The public one (Server) has Bitrix24's callbacks,
// the pages of the OAuth log-in and health; the operators' one (Operators) has the call
// centre's look-ups, readiness and metrics, behind a guard of package access. It parses a callback, asks portals who sent
// it, stores it and answers. Nothing else happens in its request, because Bitrix24 punishes
// slow handlers and never retries, with one exception: an installation, and a callback that
// teaches the application_token, ask the authorization server before the answer. Echo appears nowhere else. It must not know SQL,
// nor decide whether a sender is genuine.
package handlers

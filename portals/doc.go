// Package portals decides who sent a callback and what a portal may do here: it recognises
// senders by their application_token, verifies installations with Bitrix24's authorization
// server, admits portals and stores what they bring. Each answer carries a Reason. It must
// not know HTTP statuses, pages or SQL.
package portals

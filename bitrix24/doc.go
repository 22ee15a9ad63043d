// Package bitrix24 knows a Bitrix24 portal from outside: it parses the callbacks
// that a portal sends, calls its REST methods within its limits, and holds the
// OAuth conversation with the authorization server. It must not know where leads
// are kept or how notices travel.
//
// "facts N.N" in comments names a section of the fact sheet this package was
// written from; every fact there cites Bitrix24's own documentation.
package bitrix24

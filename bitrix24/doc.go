// Package bitrix24 is the client side of a Bitrix24 portal: it parses the callbacks that a
// portal sends, calls its REST methods within its limits, and talks OAuth to the
// authorization server. It must not know where leads are stored or how notices travel.
//
// "docs/bitrix24.md 3.4" in a comment is a numbered fact in that file of the repository;
// each fact there names its public source.
package bitrix24

package service

import "leadsync/leads"

// Number is leads.Amount.
func Number(n int64, noun string) string { return leads.Amount(n, noun) }

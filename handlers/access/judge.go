package access

import (
	"log/slog"
	"net/http"
	"slices"
	"time"
)

// Judge tells what tokens give. It counts wrong ones by the address they come from, slows down
// whoever shows many, and logs them. Whatever asks the same judge shares the count.
type Judge struct {
	tokens   Tokens
	attempts *attempts
	log      *slog.Logger
}

// NewJudge makes a judge that knows these tokens.
func NewJudge(tokens Tokens, now func() time.Time, log *slog.Logger) *Judge {
	return &Judge{tokens: tokens, attempts: newAttempts(now), log: log}
}

// longToken is as many characters as the tokens have that leadsync generates: nobody finds one of
// those by trying, however often he may.
const longToken = 26

// Right is what a token gives of the rights that are accepted, else None. Beyond the limit of wrong
// tokens it is None as well, and tooMany. A right token that is long is let in also then: the limit
// could only lock out its owner, who shares an address with an attacker, as everybody behind a
// container's bridge does. Of a wrong one that tells nothing: it is refused in the same way before and
// after. Short ones, which people think up, have to wait with all others.
func (j *Judge) Right(r *http.Request, token string, accepted ...Right) (right Right, tooMany bool) {
	from, right := address(r), j.tokens.Right(token)
	good := right != None && slices.Contains(accepted, right)
	switch {
	case good && len(token) >= longToken:
		return right, false
	case !j.attempts.allowed(from):
		return None, true
	case good:
		return right, false
	}
	j.attempts.failed(from)
	j.log.WarnContext(r.Context(), "wrong token", "from", from.String(), "path", r.URL.Path)
	return None, false
}

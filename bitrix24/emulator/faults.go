package emulator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Faults are failures that the emulator produces on purpose. They can be changed while the
// portal runs. Rates are fractions from 0 to 1. Texts with a choice accept what FaultChoices
// lists. The zero value is a healthy portal. FIDELITY.md says where each was seen.
type Faults struct {
	// Callbacks.
	Lose       float64 `json:"lose"`        // never sent
	Repeat     float64 `json:"repeat"`      // sent twice
	Reorder    float64 `json:"reorder"`     // sent after later ones
	WrongToken float64 `json:"wrong_token"` // with a wrong application token
	NoUser     float64 `json:"no_user"`     // as if a robot had caused the event: without tokens
	PathSlash  string  `json:"path_slash"`  // the handler's address has a slash too many

	// REST requests.
	Error401   float64 `json:"error_401"`   // the access token has expired
	Error429   float64 `json:"error_429"`   // OPERATION_TIME_LIMIT
	Error500   float64 `json:"error_500"`   // INTERNAL_SERVER_ERROR
	Error502   float64 `json:"error_502"`   // 502 page of the web server, the call was not executed
	Error503   float64 `json:"error_503"`   // QUERY_LIMIT_EXCEEDED
	ErrorHTML  float64 `json:"error_html"`  // 500 with an HTML page
	HTML200    float64 `json:"html_200"`    // 200 with an HTML page, as a network's log-in page; the call was not executed
	Error504   float64 `json:"error_504"`   // 504 page of the web server, after the call was executed
	Reset      float64 `json:"reset"`       // the connection breaks after the call was executed, before the answer
	Truncate   float64 `json:"truncate"`    // the answer ends in the middle
	SlowMS     int     `json:"slow_ms"`     // every answer is this late; Config.Wall or more is a 504
	Overload   bool    `json:"overload"`    // OVERLOAD_LIMIT
	Deleted    bool    `json:"deleted"`     // PORTAL_DELETED
	Refuse     string  `json:"refuse"`      // every call is refused with this code
	RenamedTo  string  `json:"renamed_to"`  // 302 to this origin (scheme and host)
	ScopeTaken string  `json:"scope_taken"` // these scopes, separated by commas, were taken away from application and webhook
	ErrorNull  bool    `json:"error_null"`  // "error":null beside results, and beside tokens
	Garbage    string  `json:"garbage"`     // what stands before or after the JSON, of tokens too

	// Inside batches.
	RefuseCommands        string  `json:"refuse_commands"`         // every method but batch itself is refused with this code
	CommandLimit          float64 `json:"command_limit"`           // a command is refused with OPERATION_TIME_LIMIT
	CommandError          float64 `json:"command_error"`           // a command is refused with INTERNAL_SERVER_ERROR
	QueryLimitBatches     int     `json:"query_limit_batches"`     // all commands of that many batches: QUERY_LIMIT_EXCEEDED; counts down
	OperatingLimitBatches int     `json:"operating_limit_batches"` // the same with OPERATION_TIME_LIMIT

	// Answers that PHP spoils.
	Unencodable      string  `json:"unencodable"`       // ids of leads, separated by commas, that no answer can contain
	UnencodableShare float64 `json:"unencodable_share"` // the same for this share of leads
	UnencodableAs    string  `json:"unencodable_as"`    // what the answer is instead; "" is empty
	ContactMaps      float64 `json:"contact_maps"`      // the contacts of a lead are maps with holes
	CustomMaps       float64 `json:"custom_maps"`       // a multiple custom field is a map with holes
	ListMaps         float64 `json:"list_maps"`         // a list is a map with holes
	BatchMaps        float64 `json:"batch_maps"`        // the parts of a batch's result are maps in mixed order

	// Rows.
	StrayRows    float64 `json:"stray_rows"`    // a list has one lead more, which the filter excludes
	WrongLead    float64 `json:"wrong_lead"`    // get answers with another lead
	IgnoreFilter float64 `json:"ignore_filter"` // a list ignores its filter
	OddIDs       string  `json:"odd_ids"`       // in each list one row has this in place of its id
	SignedLinks  bool    `json:"signed_links"`  // links to files have a second token, which each read signs anew

	// The authorization server.
	TokenError503   float64 `json:"token_error_503"`  // it answers with a 503 page
	PaymentRequired bool    `json:"payment_required"` // it refuses tokens because the subscription ended

	// Rights and settings.
	Hidden       float64 `json:"hidden"`         // this share of leads is hidden: not in lists, "Access denied." by get
	OwnLeadsOnly bool    `json:"own_leads_only"` // who is no administrator sees only the leads assigned to him
	Dismissed    int     `json:"dismissed"`      // the user with this id was dismissed
	Demoted      int     `json:"demoted"`        // the user with this id is no administrator any more
	SimpleMode   bool    `json:"simple_mode"`    // the CRM works without leads from now on
}

type faultBox struct {
	mu  sync.RWMutex
	now Faults
}

// Faults returns the faults that are on.
func (p *Portal) Faults() Faults {
	p.faults.mu.RLock()
	defer p.faults.mu.RUnlock()
	return p.faults.now
}

// SetFaults replaces all faults.
func (p *Portal) SetFaults(f Faults) {
	_, _ = p.changeFaults(func(now *Faults) error { *now = f; return nil })
}

// changeFaults changes the faults unless change fails, and returns those that are on then.
func (p *Portal) changeFaults(change func(*Faults) error) (Faults, error) {
	p.faults.mu.Lock()
	f := p.faults.now
	if err := change(&f); err != nil {
		p.faults.mu.Unlock()
		return f, err
	}
	simple := f.SimpleMode && !p.faults.now.SimpleMode
	p.faults.now = f
	p.faults.mu.Unlock()
	if simple {
		p.convertAll()
	}
	return f, nil
}

// limitBatch reports whether a limit refuses all commands of the batch that begins, and counts
// that batch.
func (p *Portal) limitBatch() *refusal {
	if f := p.Faults(); f.QueryLimitBatches <= 0 && f.OperatingLimitBatches <= 0 {
		return nil
	}
	p.faults.mu.Lock()
	defer p.faults.mu.Unlock()
	switch f := &p.faults.now; {
	case f.QueryLimitBatches > 0:
		f.QueryLimitBatches--
		return errQueryLimit
	case f.OperatingLimitBatches > 0:
		f.OperatingLimitBatches--
		return errOperating
	default:
		return nil
	}
}

// FaultChoices are the values of the faults that are a choice, by their JSON key. "" is off,
// or the first one for unencodable_as.
func FaultChoices() map[string][]string {
	return map[string][]string{
		"refuse":          refusableCodes,
		"refuse_commands": refusableCodes,
		"unencodable_as":  {"empty", "false", "cut"},
		"garbage":         {"warning", "bom", "spaces", "notice_after"},
		"odd_ids":         {"big", "huge", "zero", "negative", "text", "null"},
		"path_slash":      {"end", "start", "middle"},
	}
}

// check finds values that no fault has.
func (f *Faults) check() error {
	choices := FaultChoices()
	for _, c := range [][2]string{
		{"refuse", f.Refuse},
		{"refuse_commands", f.RefuseCommands},
		{"unencodable_as", f.UnencodableAs},
		{"garbage", f.Garbage},
		{"odd_ids", f.OddIDs},
		{"path_slash", f.PathSlash},
	} {
		known := func(s string) bool { return strings.EqualFold(s, c[1]) }
		if c[1] != "" && !slices.ContainsFunc(choices[c[0]], known) {
			return fmt.Errorf("%s: got %q, want one of %s", c[0], c[1], strings.Join(choices[c[0]], ", "))
		}
	}
	for id := range strings.SplitSeq(f.Unencodable, ",") {
		if _, err := strconv.ParseInt(strings.TrimSpace(id), 10, 64); err != nil && f.Unencodable != "" {
			return clickError{"unencodable: got %s, want ids of leads, separated by commas", []any{strconv.Quote(f.Unencodable)}}
		}
	}
	for key, id := range map[string]int{"dismissed": f.Dismissed, "demoted": f.Demoted} {
		if id != 0 && userByID(id) == nil {
			return fmt.Errorf("%s: there is no user %d, want %s", key, id, userIDs())
		}
	}
	return nil
}

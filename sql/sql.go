// Package sql holds the statements and the migrations of the mirror, one file each, in
// a folder for each database. It only hands out text: running it is the job of package
// repo, which is the only one to import this (as leadsql).
package sql

import (
	"embed"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"unicode"
)

//go:embed sqlserver sqlite
var files embed.FS

// Statements are the statements of one database. Field PortalGet is the file
// portal_get.sql: so a misspelt statement does not compile. Parameters are named,
// the same in both folders; times go in as text.
type Statements struct {
	AdoptAsk, AdoptContacts, AdoptDuplicates, AdoptFailures, AdoptLeads            string
	AdoptSolutions                                                                 string
	CallbackList, CallbacksInsert, CallbacksUpdate                                 string
	ContactsDelete, ContactsDeleteGone, ContactsInsert                             string
	CutsInsert                                                                     string
	EraseCallbacks, EraseContacts, EraseFailing, EraseFailures, EraseFindings      string
	EraseDuplicates, EraseFields, EraseFieldTypes                                  string
	EraseGrants, EraseLeads, EraseOutbox, ErasePortal, EraseRuns, EraseSolutions   string
	FailingDelete, FailingGet, FailingInsert, FailingList, FailingUpdate           string
	FailureInsert, FailurePayload                                                  string
	FieldsDelete, FieldsDeleteGone, FieldsDeleteRows, FieldsInsert                 string
	FieldTypesDelete, FieldTypesInsert                                             string
	FindingInsert, FindingList                                                     string
	GrantBegin, GrantDelete, GrantInsert, GrantList, GrantRotate                   string
	HeldRange, HeldRangeContacts, HeldRangeFields, HeldRangePhones                 string
	HeldRangeSolutions, HeldRows, HeldRowsContacts, HeldRowsFields, HeldRowsPhones string
	HeldRowsSolutions                                                              string
	LeadsCount, LeadsInsert, LeadsLock, LeadsMark, LeadsMissing, LeadsUpdate       string
	MigrationsApplied, MigrationsTable                                             string
	OutboxCount, OutboxDelete, OutboxInsert, OutboxList, OutboxOldest              string
	OwnerBudget, OwnerEpoch, OwnerInsert, OwnerRaise                               string
	PortalBound, PortalDomain, PortalGet, PortalInsert, PortalLearn, PortalList    string
	PortalMove, PortalStanding, PortalState, PortalUpdate                          string
	PortalApplication, PortalAuthorize, PortalStateFrom                            string
	RunClaim, RunGet, RunInsert, RunLastCompleted, RunList, RunNext, RunUnfinished string
	RunUpdate                                                                      string
	RuntimeInsert, RuntimeTouchGet, RuntimeTouchList                               string
	SolutionDelete, SolutionDeleteGone, SolutionDeleteRows, SolutionInsert         string
	StageContactsCreate, StageContactsDrop, StageContactsInsert                    string
	StageCutsCreate, StageCutsDrop, StageCutsInsert                                string
	StageFieldsCreate, StageFieldsDrop, StageFieldsInsert                          string
	StageLeadsCreate, StageLeadsDrop, StageLeadsInsert                             string
	StageMarksCreate, StageMarksDrop, StageMarksInsert                             string
	StageOutboxCreate, StageOutboxDrop, StageOutboxInsert                          string
	StageSolutionsCreate, StageSolutionsDrop, StageSolutionsInsert                 string
	AllowanceDelete, AllowanceGet, AllowanceInsert                                 string
	FindingMissingList, FindingPendingDelete, FindingPendingList, FindingUpdate    string
	HeldList                                                                       string
	IncidentInsert, IncidentList                                                   string
	LeadsCandidates                                                                string
	LevelAsk                                                                       string
	OwnerBeat, OwnerBeatGet                                                        string
	RunLastFull, RunResume, RunStop, RunWatermark                                  string
	CallersList, CardGet                                                           string
	ErasePhones, PhonesDelete, PhonesDeleteGone, PhonesDeleteRows, PhonesInsert    string
	SettingList, SettingInsert, SettingUpdate                                      string
	StagePhonesCreate, StagePhonesDrop, StagePhonesInsert                          string
}

// The statements of both databases.
var (
	SQLServer = load("sqlserver")
	SQLite    = load("sqlite")
)

// The migrations of both databases, as goose reads them: files NNNNN_name.sql.
var (
	SQLServerMigrations = folder("sqlserver/migrations")
	SQLiteMigrations    = folder("sqlite/migrations")
)

// load reads one file for each field; a missing one is a mistake of the build and ends
// the program at its start.
func load(dir string) Statements {
	var s Statements
	v := reflect.ValueOf(&s).Elem()
	for i := range v.NumField() {
		name := dir + "/" + fileName(v.Type().Field(i).Name)
		text, err := files.ReadFile(name)
		if err != nil {
			panic(fmt.Sprintf("leadsync/sql: %v", err))
		}
		v.Field(i).SetString(string(text))
	}
	return s
}

func folder(dir string) fs.FS {
	sub, err := fs.Sub(files, dir)
	if err != nil {
		panic(fmt.Sprintf("leadsync/sql: %v", err))
	}
	return sub
}

// fileName spells PortalGet portal_get.sql.
func fileName(field string) string {
	var b strings.Builder
	for i, r := range field {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String() + ".sql"
}

// Package sql has the statements and migrations of the mirror, one file each, in a folder for
// each database. It only provides their text. Package repo runs them and is the only
// package that imports this one (as leadsql).
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

// Statements are the statements of one database. Field PortalGet is the file portal_get.sql,
// so a misspelt name does not compile. Both databases have the same named parameters; times
// are passed as text.
type Statements struct {
	AdoptAsk, AdoptContacts, AdoptDuplicates, AdoptFailures, AdoptLeads, AdoptSolutions                                               string
	AllowanceDelete, AllowanceGet, AllowanceInsert                                                                                    string
	CallbackList                                                                                                                      string
	CallbacksInsert, CallbacksUpdate                                                                                                  string
	CallersList                                                                                                                       string
	CardGet                                                                                                                           string
	ColumnsList                                                                                                                       string
	ContactsAdd, ContactsDelete, ContactsInsert, ContactsLook                                                                         string
	CutsAdd, CutsInsert                                                                                                               string
	EraseCallbacks, EraseContacts, EraseDuplicates, EraseFailing, EraseFailures                                                       string
	EraseFieldTypes, EraseFields, EraseFieldsRead, EraseFindings, EraseGrants, EraseLeads, EraseOutbox                                string
	ErasePhones, ErasePortal, EraseRuns, EraseSolutions                                                                               string
	FailingDelete, FailingGet, FailingInsert, FailingList, FailingUpdate                                                              string
	FailureClean, FailureInsert, FailureList, FailurePayload, FailureUpdate                                                           string
	FieldTypesDelete, FieldTypesInsert, FieldTypesList                                                                                string
	FieldsAdd, FieldsDelete, FieldsInsert, FieldsLook                                                                                 string
	FindingInsert, FindingList, FindingMissingList, FindingPendingDelete                                                              string
	FindingPendingList, FindingUpdate                                                                                                 string
	GrantBegin, GrantDelete, GrantInsert, GrantList, GrantRotate                                                                      string
	IncidentInsert, IncidentList                                                                                                      string
	LeadInsert, LeadUpdate, LeadsCandidates, LeadsClean, LeadsCount, LeadsInsert, LeadsLock, LeadsLook, LeadsMark                     string
	LeadsMissing, LeadsTouch, LeadsUpdate                                                                                                         string
	LevelAsk                                                                                                                          string
	MirrorStatuses                                                                                                                    string
	MigrationsApplied, MigrationsTable                                                                                                string
	OutboxAdd, OutboxCount, OutboxDelete, OutboxInsert, OutboxList, OutboxListPortal, OutboxOldest, OutboxOldestPortal, OutboxPortals string
	OwnerBeat, OwnerBeatGet, OwnerBudget, OwnerEpoch, OwnerFields, OwnerFieldsGet                                                     string
	OwnerInsert, OwnerMirror, OwnerMirrorGet, OwnerNote, OwnerProblem, OwnerRaise                                                     string
	PhonesAdd, PhonesDelete, PhonesInsert, PhonesLook                                                                                 string
	PortalApplication, PortalAuthorize, PortalBound, PortalDomain, PortalGet, PortalInsert                                            string
	PortalLearn, PortalList, PortalMove, PortalStanding, PortalState, PortalStateFrom                                                 string
	PortalUpdate                                                                                                                      string
	RowGet, RowGetContacts, RowGetFields, RowGetPhones, RowGetSolutions, RowKeys, RowRange                                            string
	RowRangeContacts, RowRangeFields, RowRangePhones, RowRangeSolutions                                                               string
	RunClaim, RunGet, RunInsert, RunLastCompleted, RunLastFull, RunList, RunNext, RunProofs, RunResume                                string
	RunStop, RunUnfinished, RunUpdate, RunWatermark                                                                                   string
	RuntimeInsert, RuntimeTouchGet, RuntimeTouchList                                                                                  string
	SettingInsert, SettingList, SettingUpdate                                                                                         string
	SolutionAdd, SolutionDelete, SolutionInsert, SolutionLook                                                                         string
	StageContactsCreate, StageContactsDrop, StageContactsInsert, StageCutsCreate                                                      string
	StageCutsDrop, StageCutsInsert, StageFieldsCreate, StageFieldsDrop, StageFieldsInsert                                             string
	StageLeadsCreate, StageLeadsDrop, StageLeadsInsert                                                                                string
	StageOutboxCreate, StageOutboxDrop, StageOutboxInsert                                                                             string
	StagePhonesCreate, StagePhonesDrop, StagePhonesInsert, StageSolutionsCreate                                                       string
	StageSolutionsDrop, StageSolutionsInsert                                                                                          string
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

// load reads one file for each field. A missing file is a mistake in the build, so it panics
// when the program starts.
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

// fileName returns portal_get.sql for PortalGet.
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

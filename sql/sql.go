// Package sql has the statements and migrations of the mirror, one file each, in a folder for
// each database. It only provides their text. Package repo runs them and is the only
// package that imports this one (as leadsql).
package sql

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
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
	AdoptContacts, AdoptContactsUpto, AdoptCounts, AdoptDuplicates, AdoptFailures, AdoptFailuresUpto, AdoptLeads                       string
	AdoptLeadsUpto, AdoptRows, AdoptSolutions, AdoptSolutionsUpto, AdoptTables                                                         string
	Agenda                                                                                                                             string
	AllowanceDelete, AllowanceGet, AllowanceInsert                                                                                     string
	BlockerAsk                                                                                                                         string
	CallbackList                                                                                                                       string
	CallbacksInsert, CallbacksUpdate                                                                                                   string
	CallersList                                                                                                                        string
	CardGet                                                                                                                            string
	ChangesAdd, ChangesInsert, ChangesLast, ChangesList                                                                                string
	ClaimAsk, ClaimContacts, ClaimContactsStale, ClaimContactsUpto, ClaimDuplicates, ClaimDuplicatesUpto                               string
	ClaimFailures, ClaimFailuresUpto, ClaimHold, ClaimLeads, ClaimLeadsLosers, ClaimLeadsUpto, ClaimSolutions                          string
	ClaimSolutionsStale, ClaimSolutionsUpto                                                                                            string
	ColumnsList                                                                                                                        string
	ContactsAdd, ContactsDelete, ContactsInsert, ContactsLook                                                                          string
	CutsAdd, CutsInsert                                                                                                                string
	DuplicatesDelete, DuplicatesInsert                                                                                                 string
	EraseCallbacks, EraseContacts, EraseDuplicates, EraseFailing, EraseFailures, EraseFieldTypes, EraseFields                          string
	EraseFieldsRead, EraseFindings, EraseGrants, EraseLeads, EraseOutbox, ErasePhones, ErasePortal, EraseRuns                          string
	EraseChanges, EraseSolutions                                                                                                       string
	FailingDelete, FailingGet, FailingInsert, FailingList, FailingOf, FailingUpdate                                                    string
	FailureClean, FailureInsert, FailureLast, FailureList, FailurePayload, FailureUpdate                                               string
	FieldTypesDelete, FieldTypesInsert, FieldTypesList                                                                                 string
	FieldsAdd, FieldsDelete, FieldsInsert, FieldsLook                                                                                  string
	FindingInsert, FindingList, FindingListLead, FindingMissingList, FindingPage, FindingPendingDelete                                 string
	FindingPendingList, FindingUpdate                                                                                                  string
	GrantBegin, GrantDelete, GrantInsert, GrantList, GrantRotate                                                                       string
	IncidentInsert, IncidentList                                                                                                       string
	LeadInsert, LeadUpdate                                                                                                             string
	LeadsCandidates, LeadsClean, LeadsCount, LeadsInsert, LeadsLock, LeadsLook, LeadsMark, LeadsMissing                                string
	LeadsAround, LeadsTouch, LeadsUpdate                                                                                               string
	LevelAsk                                                                                                                           string
	MigrationsApplied, MigrationsTable                                                                                                 string
	MirrorStatuses                                                                                                                     string
	OutboxAdd, OutboxComplete, OutboxCompleteLead, OutboxCount, OutboxDelete, OutboxInsert, OutboxList, OutboxListPortal, OutboxOldest string
	OutboxOldestPortal, OutboxPortals                                                                                                  string
	OwnerBeat, OwnerBeatAll, OwnerBeatGet, OwnerBudget, OwnerEpoch, OwnerFields, OwnerFieldsGet, OwnerInsert, OwnerMirror              string
	OwnerMirrorGet, OwnerNote, OwnerProblem, OwnerRaise                                                                                string
	PhonesAdd, PhonesDelete, PhonesInsert, PhonesLook                                                                                  string
	PortalApplication, PortalAuthorize, PortalBound, PortalDomain, PortalGet, PortalInsert, PortalLearn                                string
	PortalList, PortalMove, PortalStanding, PortalState, PortalStateFrom, PortalUpdate                                                 string
	PruneCallbackRange, PruneCallbacks, PruneFailureRange, PruneFailures, PruneFindings, PruneIncidents, PruneRun                      string
	PruneChangeRange, PruneChanges, PruneRunList                                                                                       string
	RowGet, RowGetContacts, RowGetFields, RowGetPhones, RowGetSolutions, RowKeys, RowRange, RowRangeContacts                           string
	RowRangeFields, RowRangePhones, RowRangeSolutions                                                                                  string
	RunClaim, RunGet, RunInsert, RunLastCompleted, RunLastEnded, RunLastFull, RunList, RunNext, RunProofs, RunResume, RunStop          string
	RunUnfinished, RunUpdate, RunWatermark                                                                                             string
	RuntimeInsert, RuntimeTouchGet, RuntimeTouchList                                                                                   string
	SettingInsert, SettingList, SettingUpdate                                                                                          string
	SidesAny                                                                                                                           string
	SolutionAdd, SolutionDelete, SolutionInsert, SolutionLook                                                                          string
	StageContactsCreate, StageContactsDrop, StageContactsInsert, StageCutsCreate, StageCutsDrop, StageCutsInsert                       string
	StageFieldsCreate, StageFieldsDrop, StageFieldsInsert, StageLeadsCreate, StageLeadsDrop, StageLeadsInsert                          string
	StageOutboxCreate, StageOutboxDrop, StageOutboxInsert, StagePhonesCreate, StagePhonesDrop, StagePhonesInsert                       string
	StageSolutionsCreate, StageSolutionsDrop, StageSolutionsInsert                                                                     string
	TableRows                                                                                                                          string
	UnclaimedCount                                                                                                                     string
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

// The questions that are asked before a migration, by name. The two databases have different ones.
var (
	SQLServerPreflight = questions("sqlserver/preflight")
	SQLitePreflight    = questions("sqlite/preflight")
)

func questions(dir string) map[string]string {
	names, err := fs.Glob(files, dir+"/*.sql")
	if err != nil || len(names) == 0 {
		panic(fmt.Sprintf("leadsync/sql: no files in %s: %v", dir, err))
	}
	texts := map[string]string{}
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			panic(fmt.Sprintf("leadsync/sql: %v", err))
		}
		texts[strings.TrimSuffix(path.Base(name), ".sql")] = string(text)
	}
	return texts
}

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

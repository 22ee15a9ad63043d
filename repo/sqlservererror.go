package repo

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	mssql "github.com/microsoft/go-mssqldb"
)

// leadNumbers are the errors that the content of one lead can cause: a value, in a row that
// the table, or something that its administrator added to it, does not take. Every other error
// is the database's: it waits until somebody has mended the database, and no lead is marked for
// it. Source: "Database Engine events and errors" in Microsoft's documentation.
//
// These look like it and are not here, because a statement or the tables' structure cause them,
// for each lead alike: 206 and 257 (types that do not go together), 213 (number of columns),
// 468 (collations), 1934 (SET options), 3609 (a trigger rolled back), 50000 and higher (THROW
// and RAISERROR of a customer), 9402 (XML, which leadsync does not send).
var leadNumbers = map[int32]bool{
	220:   true, // arithmetic overflow for a type, with the value
	232:   true, // the same for a real number
	241:   true, // text is no date or time
	242:   true, // date out of range
	244:   true, // text overflows a tinyint or smallint column
	245:   true, // text is no number
	248:   true, // text overflows an int column
	295:   true, // text is no smalldatetime
	296:   true, // out of smalldatetime's range
	511:   true, // row longer than a page
	515:   true, // NULL in a column that forbids it
	517:   true, // date overflows
	547:   true, // constraint: CHECK or foreign key
	1946:  true, // key too long for an index
	2628:  true, // text too long, with table and column (2019 and newer, or trace flag 460)
	8023:  true, // a parameter's value is not valid for its type
	8114:  true, // conversion between types failed
	8115:  true, // arithmetic overflow; of an identity column it is the database's
	8152:  true, // text too long
	8169:  true, // text is no uniqueidentifier
	9803:  true, // invalid data for a type
	13609: true, // text is no JSON
}

// downNumbers are the errors of a server or database that cannot write at present and will
// again: no memory, database unavailable, disk or log full, no locks left, read-only, login,
// and those of Azure.
var downNumbers = map[int32]bool{
	701: true, 911: true, 952: true, 1105: true, 1204: true, 3906: true, 3908: true, 4060: true, 9002: true,
	18456: true, 10928: true, 10929: true, 40197: true, 40501: true, 40613: true, 49918: true, 49919: true, 49920: true,
}

// noNumber is what Babelfish says where it has no number of SQL Server's: only the text tells.
const noNumber = 33557097

// classifySQLServer uses the error number; for numbers that are in no list, the severity, as
// far as it says something ("Database Engine error severities").
func classifySQLServer(err error) fault {
	var e mssql.Error
	if !errors.As(err, &e) {
		return faultOther
	}
	switch e.Number {
	case 2627, 2601: // unique constraint, unique index
		return faultKey
	case 601, 1205, 1222, 3960, 3961: // rows moved during a scan, deadlock victim, lock time-out, snapshot conflicts
		return faultBusy
	case 207, 208: // column, table
		return faultMissing
	case 229, 230, 262, 297, 300, 15247: // missing permission: on an object, a column, a statement, the server
		return faultRights
	}
	switch {
	case e.Number == noNumber && strings.HasPrefix(e.Message, "permission denied"):
		return faultRights
	case e.Number == noNumber && strings.Contains(e.Message, "lock timeout"):
		return faultBusy
	case downNumbers[e.Number]:
		return faultDown
	case e.Number == 8115 && strings.Contains(e.Message, "IDENTITY"):
		return faultOther
	case leadNumbers[e.Number]:
		return faultData
	case e.Class >= 20: // the connection ended
		return faultBroken
	case e.Class >= 17, e.Class == 14: // the server lacks something; or access: a secondary replica, a database in recovery, an expired password
		return faultDown
	default:
		return faultOther
	}
}

// causes say in words what is wrong and what to do, for errors whose own text does not.
var causes = map[int32]string{
	-2:    "the server ran out of time",
	468:   "two columns have different collations; compare them with the database's",
	701:   "the server has no memory left",
	824:   "the database is damaged: run DBCC CHECKDB",
	911:   "the database does not exist or cannot be opened",
	976:   "the database is a secondary replica: connect to the availability group's listener",
	978:   "the database is a secondary replica: connect to the availability group's listener",
	983:   "the database's replica is changing its role, or is not in its availability group",
	1105:  "the disk or file group is full",
	1204:  "the server has no locks left",
	1205:  "deadlock",
	1222:  "another session has held a lock for too long",
	1934:  "an indexed view, filtered index or computed column refuses the session's SET options",
	3609:  "a trigger rolled the transaction back: look at the triggers on this table",
	3906:  "the database is read-only",
	3908:  "the database is in emergency mode, or its recovery failed",
	3960:  "snapshot conflict",
	8115:  "an identity column has run out of numbers: make it bigint, or DBCC CHECKIDENT … RESEED it",
	9002:  "the transaction log is full: back it up or let it grow",
	18456: "the login was refused: check user and password",
	18486: "the login is locked out: ALTER LOGIN … UNLOCK, and look who tries a wrong password",
	18487: "the login's password has expired: give it a new one, and leadsync's settings, too",
	18488: "the login's password must be changed first: give it one that stays",
	40501: "the server is overloaded",
	40613: "the database is not available at the moment",
}

// causeSQLServer adds to an error of the database in words what is wrong; the driver's text has
// the number and, from the server, the object.
func causeSQLServer(err error) error {
	var e mssql.Error
	if !errors.As(err, &e) {
		return err
	}
	err = withoutValues(err, e)
	words, known := causes[e.Number]
	switch {
	case known && e.ProcName != "":
		return fmt.Errorf("%s (in %s): %w", words, e.ProcName, err)
	case known:
		return fmt.Errorf("%s: %w", words, err)
	case e.ProcName != "" && !strings.HasPrefix(e.ProcName, "sp_"):
		return fmt.Errorf("the database refused it in %s: %w", e.ProcName, err)
	default:
		return err
	}
}

// quoted is what SQL Server quotes of a row where it refuses one: errors 2628, 2601 and 2627 end with it,
// and 220, 232, 244, 245 and 248 have it in their midst.
var quoted = regexp.MustCompile(`(?s)(Truncated value:|duplicate key value is) .*|(\bvalue(?: =)?) (?:'.*'|-?\d[\d.eE+-]*)`)

// valuelessError is an error of the server whose text lacks what it quotes of a row: texts of errors
// go to logs and to pages, and a person's name or number does not.
type valuelessError struct {
	error

	text string
}

func (e valuelessError) Error() string { return e.text }

// Unwrap returns the server's error, with its number.
func (e valuelessError) Unwrap() error { return e.error }

// withoutValues hides what an error quotes of a row. What a customer's own trigger says (50000 and higher)
// is for the people who run it, and stays.
func withoutValues(err error, e mssql.Error) error {
	message := quoted.ReplaceAllString(e.Message, "$1$2 …")
	if message == e.Message || e.Number >= 50000 && e.Number != noNumber {
		return err
	}
	return valuelessError{err, strings.ReplaceAll(err.Error(), e.Message, message)}
}

// numberOf is the server's number of an error; 0 where it has none.
func numberOf(err error) int32 {
	if e, ok := errors.AsType[mssql.Error](err); ok {
		return e.Number
	}
	return 0
}

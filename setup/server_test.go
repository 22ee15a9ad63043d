package setup

import (
	"net/url"
	"testing"
)

// A server is written as the driver, as Management Studio, or as sqlcmd has it.
func TestServersAreWrittenInManyWays(t *testing.T) {
	for given, want := range map[string]string{
		"sql01":                 "sql01:1433/",
		"sql01:1444":            "sql01:1444/",
		"sql01,1444":            "sql01:1444/",
		"tcp:sql01.local, 1444": "sql01.local:1444/",
		`sql01\EXPRESS`:         "sql01/EXPRESS",
		`sql01\EXPRESS,1444`:    "sql01:1444/", // the port says where the instance is
		"[::1]":                 "[::1]:1433/",
		"::1":                   "[::1]:1433/",
		"[fe80::1],1444":        "[fe80::1]:1444/",
		`.\EXPRESS`:             "./EXPRESS",
	} {
		u, err := url.Parse(sqlServer(given, "Лиды #1", url.UserPassword("sa", `p@:/?#[]%;"'x`)))
		if err != nil {
			t.Errorf("%s: %v", given, err)
			continue
		}
		path := u.Path
		if path == "" {
			path = "/"
		}
		password, _ := u.User.Password()
		if got := u.Host + path; got != want || password != `p@:/?#[]%;"'x` || u.Query().Get("database") != "Лиды #1" {
			t.Errorf("%s: %s, want %s (%s)", given, got, want, u)
		}
	}
}

package console_test

import (
	"strings"
	"testing"
	"time"
)

func TestDurationsHaveTwoUnits(t *testing.T) {
	for behind, want := range map[time.Duration][2]string{
		41 * time.Second: {"41 s", "41 с"},
		time.Minute:      {"1 min", "1 мин"},
		3*time.Hour + 2*time.Minute + 9*time.Second: {"3 h 2 min", "3 ч 2 мин"},
		2*24*time.Hour + 59*time.Minute:             {"2 d", "2 д"},
		49293*time.Hour + 34*time.Minute:            {"2,053 d 21 h", "2\u202f053 д 21 ч"},
	} {
		h := furnished("plain")
		h.findings[0].Behind = behind
		o := open(t, h)
		for i, language := range []string{"en", "ru"} {
			if page := o.page("/passes/run-1", "Accept-Language", language); !strings.Contains(page, `">`+want[i]+"</td>") {
				t.Errorf("%s in %s is not %q: %s", behind, language, want[i], page)
			}
		}
	}
}

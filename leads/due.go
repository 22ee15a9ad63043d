package leads

import "time"

// Due is what there is to do for a portal.
type Due struct {
	Pass        bool      // a pass is requested, or a former owner left one unfinished
	Absent      bool      // the grace period of a lead that the portal did not find once is over
	Unannounced time.Time // when the oldest change was written that waits to be announced; zero where none does
	Incident    int64     // rises with each incident of any portal
}

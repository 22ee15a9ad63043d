package consumers_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"leadsync/events"
	"leadsync/leads"
	"leadsync/repo"
)

func TestNoticesBecomeRows(t *testing.T) {
	o := open(t, 120)
	o.tell("ONCRMLEADADD", o.ids()...)
	o.work(o.config("one"))
	o.until("all leads are written", func() bool { return o.stats.Outcomes(leads.Inserted) == 120 && o.settled() })
	o.equal()
	if n := o.script.reads.Load(); n > 2 {
		t.Errorf("%d reads for one backlog", n)
	}
}

// While one read is under way, whatever happens to the lead costs one read more, and
// that one is sent after the last notice.
func TestEditsDuringAReadCostOneReadMore(t *testing.T) {
	o := open(t, 1)
	id := o.ids()[0]
	begun, finish := make(chan struct{}), make(chan struct{})
	var once sync.Once
	o.script.set(nil, func([]leads.Snapshot) {
		once.Do(func() { close(begun); <-finish })
	})
	o.tell("ONCRMLEADADD", id)
	o.work(o.config("one"))
	<-begun
	for range 100 {
		o.edit(id, "edited")
		o.tell("ONCRMLEADUPDATE", id)
	}
	o.edit(id, "the last word")
	o.tell("ONCRMLEADUPDATE", id)
	close(finish)
	o.until("the last word is written", func() bool { return o.stats.Outcomes(leads.Updated) == 1 && o.settled() })
	o.equal()
	if n := o.script.reads.Load(); n != 2 {
		t.Errorf("%d reads, want 2", n)
	}
}

func TestFailingLeadIsParkedAndOthersGoOn(t *testing.T) {
	o := open(t, 5)
	ids := o.ids()
	o.script.set(nil, func(snaps []leads.Snapshot) {
		for i := range snaps {
			if snaps[i].LeadID == ids[2] {
				snaps[i].Err = errors.New("not a lead: the card is a poem")
			}
		}
	})
	o.tell("ONCRMLEADADD", ids...)
	o.work(o.config("one"))
	o.until("the others are written and it is parked", func() bool {
		return o.stats.Outcomes(leads.Inserted) == 4 && o.stats.Parked.Load() == 1 && o.settled()
	})
	letters := o.dead()
	letter, ok := letters[ids[2]]
	if !ok || len(letters) != 1 {
		t.Fatalf("dead letters %v", letters)
	}
	if !strings.Contains(letter.Reason, "a poem") || letter.Attempts != 3 || letter.FirstAt.IsZero() || letter.LastAt.Before(letter.FirstAt) {
		t.Errorf("dead letter %+v", letter)
	}
}

// A lead's failures are counted where the notices that replace each other do not reset
// them, and are forgotten when it is well again, its dead letter included.
func TestFailuresAreCountedAcrossNoticesAndOwners(t *testing.T) {
	o := open(t, 2)
	ids := o.ids()
	var ill atomic.Bool
	ill.Store(true)
	o.script.set(nil, func(snaps []leads.Snapshot) {
		for i := range snaps {
			if snaps[i].LeadID == ids[0] && ill.Load() {
				snaps[i].Err = errors.New("a poem")
			}
		}
	})
	cfg := o.config("one")
	cfg.RetryPolicy = func(attempts int) (time.Duration, bool) { return time.Hour, attempts < 4 }
	stop := o.work(cfg)
	attempts := func() int {
		failing, err := o.db.Failing(t.Context(), o.member())
		if err != nil {
			t.Fatal(err)
		}
		if len(failing) == 0 {
			return 0
		}
		return failing[0].Attempts
	}
	for n := 1; n <= 4; n++ {
		if n == 3 {
			stop()
			o.work(o.config("two")) // and less patient: but the hour has not passed
		}
		o.tell("ONCRMLEADUPDATE", ids[0])
		o.until("it was tried", func() bool { return attempts() == n && o.settled() })
	}
	if letter, ok := o.dead()[ids[0]]; !ok || letter.Attempts != 4 {
		t.Fatalf("dead letters %+v", o.dead())
	}
	ill.Store(false)
	o.tell("ONCRMLEADUPDATE", ids[0])
	o.until("it is written and forgotten", func() bool { return o.written(ids[0]) && attempts() == 0 && len(o.dead()) == 0 })
}

// What our clock has said, it may take back.
func TestFailedLeadDoesNotWaitForAClockSetBack(t *testing.T) {
	o := open(t, 1)
	id := o.ids()[0]
	var ill atomic.Bool
	ill.Store(true)
	o.script.set(nil, func(snaps []leads.Snapshot) {
		if ill.Load() {
			snaps[0].Err = errors.New("a poem")
		}
	})
	ahead, err := repo.Open(t.Context(), repo.Config{URL: o.url, Now: func() time.Time { return time.Now().Add(72 * time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	defer ahead.Close()
	cfg := o.config("one")
	cfg.RetryPolicy = func(int) (time.Duration, bool) { return time.Hour, true }
	cfg.Mirror, cfg.Now = mirrorOf(ahead), func() time.Time { return time.Now().Add(72 * time.Hour) }
	stop := o.work(cfg)
	o.tell("ONCRMLEADUPDATE", id)
	o.until("it failed", func() bool {
		failing, err := o.db.Failing(t.Context(), o.member())
		return err == nil && len(failing) == 1 && o.settled()
	})
	stop()
	ill.Store(false)
	cfg.Mirror, cfg.Now = mirrorOf(o.db), time.Now
	o.work(cfg)
	o.until("it is written", func() bool { return o.written(id) })
}

func TestFailedLeadIsRetriedWithoutANewNotice(t *testing.T) {
	o := open(t, 1)
	id := o.ids()[0]
	var reads int
	o.script.set(nil, func(snaps []leads.Snapshot) {
		if reads++; reads == 1 {
			snaps[0].Err = errors.New("a poem")
		}
	})
	o.tell("ONCRMLEADADD", id)
	o.work(o.config("one"))
	o.until("it is written", func() bool { return o.written(id) })
	if len(o.dead()) != 0 || o.stats.Parked.Load() != 0 {
		t.Error("it was parked")
	}
}

func TestLastCallbackOfEachLeadIsKept(t *testing.T) {
	o := open(t, 2)
	ids := o.ids()
	o.tell("ONCRMLEADADD", ids...)
	o.work(o.config("one"))
	o.until("they are written", func() bool { return o.settled() && o.written(ids[1]) })
	o.tell("ONCRMLEADUPDATE", ids[1])
	var got []leads.LastCallback
	o.until("the second callback is noted", func() bool {
		var err error
		if got, err = o.db.LastCallbacks(t.Context(), o.member(), ids); err != nil {
			t.Fatal(err)
		}
		return len(got) == 2 && got[1].Event == "ONCRMLEADUPDATE"
	})
	if got[0].Event != "ONCRMLEADADD" || !got[1].ReceivedAt.After(got[0].ReceivedAt) {
		t.Errorf("kept %+v", got)
	}
}

// After a kill the server may have lost track of what it gave to whom: a new owner is
// given all that is not acknowledged, at once.
func TestNewOwnerGetsWhatADeadOneHadTaken(t *testing.T) {
	o := open(t, 1)
	id := o.ids()[0]
	o.tell("ONCRMLEADADD", id)
	consumer, err := events.Notices(t.Context(), o.js, o.member())
	if err != nil {
		t.Fatal(err)
	}
	if msg, err := consumer.Next(); err != nil || msg.InProgress() != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	o.work(o.config("heir"))
	o.until("it is written", func() bool { return o.written(id) })
	t.Logf("after %s; the dead one's time would have been up after 5 s", time.Since(begun).Round(time.Millisecond))
}

func TestDeleteCallbackAndNotFoundMakeATombstone(t *testing.T) {
	o := open(t, 2)
	ids := o.ids()
	o.tell("ONCRMLEADADD", ids...)
	o.work(o.config("one"))
	o.until("both are written", func() bool { return o.written(ids[0]) && o.written(ids[1]) && o.settled() })
	if err := o.portal.Delete(ids[0]); err != nil {
		t.Fatal(err)
	}
	o.tell("ONCRMLEADDELETE", ids[0])
	o.until("the row is a tombstone", func() bool { return o.deleted(ids[0]) })
	// A delete callback that is not true deletes nothing.
	reads := o.script.reads.Load()
	o.tell("ONCRMLEADDELETE", ids[1])
	o.until("the callback is dealt with", func() bool { return o.settled() && o.script.reads.Load() > reads })
	if !o.written(ids[1]) {
		t.Error("a lead that is there was deleted")
	}
}

func TestNotFoundAloneWaitsForASecondLook(t *testing.T) {
	o := open(t, 1)
	id := o.ids()[0]
	o.tell("ONCRMLEADADD", id)
	o.work(o.config("one"))
	o.until("it is written", func() bool { return o.written(id) })
	if err := o.portal.Delete(id); err != nil {
		t.Fatal(err)
	}
	o.tell("ONCRMLEADUPDATE", id)
	o.until("the second look finds it absent again", func() bool { return o.deleted(id) })
	if n := o.stats.Outcomes(leads.Missing); n < 1 {
		t.Error("the first look alone deleted it")
	}
}

func TestNotFoundWithoutARowWritesNothing(t *testing.T) {
	o := open(t, 0)
	o.work(o.config("one"))
	o.tell("ONCRMLEADDELETE", 77)
	o.until("it was read", func() bool { return o.script.reads.Load() > 0 && o.settled() })
	if _, ok := o.held(77); ok {
		t.Error("there is a row")
	}
}

func TestFailingPortalLosesNoNoticeAndNoLead(t *testing.T) {
	o := open(t, 3)
	var failures int
	o.script.set(func(context.Context, []int64) error {
		if failures++; failures <= 2 {
			return errors.New("the portal shows a web page")
		}
		return nil
	}, nil)
	o.tell("ONCRMLEADADD", o.ids()...)
	o.work(o.config("one"))
	o.until("the portal is well and the leads are written", func() bool { return o.stats.Outcomes(leads.Inserted) == 3 })
	o.equal()
	if n := o.stats.Parked.Load(); n != 0 || len(o.dead()) != 0 {
		t.Errorf("%d notices parked", n)
	}
}

func TestMalformedNoticesDoNotStopTheRest(t *testing.T) {
	o := open(t, 1)
	if _, err := o.js.Publish(t.Context(), "bitrix24.notices."+o.member()+".poem", []byte("roses are red")); err != nil {
		t.Fatal(err)
	}
	o.tell("ONCRMLEADADD", o.ids()...)
	o.work(o.config("one"))
	o.until("the lead is written", func() bool { return o.stats.Outcomes(leads.Inserted) == 1 && o.settled() })
	if log := o.log.String(); strings.Contains(log, "roses") || !strings.Contains(log, "message is no notice") {
		t.Error("the log is wrong")
	}
}

func TestStopFinishesTheReadUnderWay(t *testing.T) {
	o := open(t, 1)
	id := o.ids()[0]
	begun, finish := make(chan struct{}), make(chan struct{})
	var once sync.Once
	o.script.set(func(context.Context, []int64) error {
		once.Do(func() { close(begun); <-finish })
		return nil
	}, nil)
	o.tell("ONCRMLEADADD", id)
	stop := o.work(o.config("one"))
	<-begun
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	close(finish)
	<-stopped
	if !o.written(id) || !o.settled() {
		t.Error("the read under way was thrown away")
	}
}

func TestNoticesMayComeInAnyOrder(t *testing.T) {
	o := open(t, 4)
	ids := o.ids()
	slices.Reverse(ids)
	o.tell("ONCRMLEADUPDATE", ids...) // updates before anything was added
	o.tell("ONCRMLEADADD", ids...)    // late
	o.work(o.config("one"))
	o.until("all are written", func() bool { return o.stats.Outcomes(leads.Inserted) == 4 && o.settled() })
	o.equal()
}

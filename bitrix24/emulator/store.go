package emulator

import (
	"slices"
	"sync"
)

// store contains the leads in the order of their ids. An id is never used again.
type store struct {
	mu        sync.RWMutex
	leads     []*lead // by ascending id
	lastID    int64
	lastMulti int64
}

// place is the index of the lead with that id, or where it would be.
func (s *store) place(id int64) (int, bool) {
	return slices.BinarySearchFunc(s.leads, id, func(l *lead, id int64) int {
		switch {
		case l.id < id:
			return -1
		case l.id > id:
			return 1
		default:
			return 0
		}
	})
}

// get returns the lead with that id; nil if there is none.
func (s *store) get(id int64) *lead {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if at, ok := s.place(id); ok {
		return s.leads[at]
	}
	return nil
}

// after returns up to n leads with ids above id.
func (s *store) after(id int64, n int) []*lead {
	s.mu.RLock()
	defer s.mu.RUnlock()
	at, _ := s.place(id + 1)
	return slices.Clone(s.leads[at:min(at+n, len(s.leads))])
}

// add stores a draft as a new lead and numbers it and its multifield rows.
func (s *store) add(d *draft) *lead {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastID++
	d.id = s.lastID
	s.number(d)
	l := d.pack()
	s.leads = append(s.leads, l)
	return l
}

// edit changes the lead with that id; it returns false if there is none. Edits run one at a
// time, so none is lost.
func (s *store) edit(id int64, change func(d *draft)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.place(id)
	if !ok {
		return false
	}
	d := s.leads[at].draft()
	change(d)
	s.number(d)
	s.leads[at] = d.pack()
	return true
}

func (s *store) delete(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.place(id)
	if ok {
		s.leads = slices.Delete(s.leads, at, at+1)
	}
	return ok
}

// number gives new ids to multifield rows without one.
func (s *store) number(d *draft) {
	for _, rows := range d.multis {
		for i := range rows {
			if rows[i].id == 0 {
				s.lastMulti++
				rows[i].id = s.lastMulti
			}
		}
	}
}

package portal

// noteOffline notes an event in the offline queue.
func (p *Portal) noteOffline(binding, string, int64, int, string) {}

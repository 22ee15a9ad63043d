package journal

import (
	"slices"
)

// A filter says whether a block may have entries of a lead, without reading the block: a Bloom
// filter of about ten bits for each lead, wrong for one block in a hundred.
const (
	filterBits   = 10 // for each key
	filterHashes = 5
)

// key stands for a lead of a portal in filters; lead 0 is the portal as a whole. It is on disk:
// FNV-1a of the member_id, mixed with the lead's id by a step of SplitMix64.
func key(member uint64, lead int64) uint64 {
	k := member + uint64(lead)*0x9e3779b97f4a7c15 //nolint:gosec // ids are positive
	k = (k ^ k>>30) * 0xbf58476d1ce4e5b9
	k = (k ^ k>>27) * 0x94d049bb133111eb
	return k ^ k>>31
}

// hashOf is FNV-1a.
func hashOf(member string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(member) {
		h = (h ^ uint64(member[i])) * 1099511628211
	}
	return h
}

// filterOf makes the filter of keys.
func filterOf(keys []uint64) []byte {
	filter := make([]byte, max(8, (len(keys)*filterBits+7)/8))
	for _, k := range keys {
		for i := range uint64(filterHashes) {
			bit := bitOf(k, i, filter)
			filter[bit/8] |= 1 << (bit % 8)
		}
	}
	return filter
}

// mayHave reports whether a filter was made with one of the keys, perhaps.
func mayHave(filter []byte, keys []uint64) bool {
	return len(filter) > 0 && slices.ContainsFunc(keys, func(k uint64) bool {
		for i := range uint64(filterHashes) {
			if bit := bitOf(k, i, filter); filter[bit/8]&(1<<(bit%8)) == 0 {
				return false
			}
		}
		return true
	})
}

func bitOf(k, i uint64, filter []byte) uint64 {
	h := uint32(k>>32) + uint32(i)*(uint32(k)|1) //nolint:gosec // the halves of the key
	return uint64(h) * uint64(len(filter)*8) >> 32
}

package journal

import (
	"encoding/binary"
	"slices"

	"github.com/bits-and-blooms/bloom/v3"
	"github.com/cespare/xxhash/v2"
)

// A filter says whether a block may have entries of a lead, without reading the block: a Bloom
// filter of about ten bits for each lead, wrong for one block in a hundred. On disk it is the
// filter's words, little-endian.
const (
	filterBits   = 10 // for each key
	filterHashes = 5
	wordBits     = 64
	wordBytes    = wordBits / 8
)

// key stands for a lead of a portal in filters; lead 0 is the portal as a whole.
func key(member uint64, lead int64) uint64 {
	var both [2 * wordBytes]byte
	binary.LittleEndian.PutUint64(both[:], member)
	binary.LittleEndian.PutUint64(both[wordBytes:], uint64(lead)) //nolint:gosec // ids are positive
	return xxhash.Sum64(both[:])
}

func hashOf(member string) uint64 { return xxhash.Sum64String(member) }

func bytesOf(k uint64) []byte { return binary.LittleEndian.AppendUint64(nil, k) }

// filterOf makes the filter of keys.
func filterOf(keys []uint64) []byte {
	filter := bloom.From(make([]uint64, max(1, (len(keys)*filterBits+wordBits-1)/wordBits)), filterHashes)
	for _, k := range keys {
		filter.Add(bytesOf(k))
	}
	var written []byte
	for _, word := range filter.BitSet().Words() {
		written = binary.LittleEndian.AppendUint64(written, word)
	}
	return written
}

// mayHave reports whether a filter was made with one of the keys, perhaps.
func mayHave(written []byte, keys []uint64) bool {
	words := make([]uint64, len(written)/wordBytes)
	if len(words) == 0 {
		return false
	}
	for i := range words {
		words[i] = binary.LittleEndian.Uint64(written[i*wordBytes:])
	}
	filter := bloom.From(words, filterHashes)
	return slices.ContainsFunc(keys, func(k uint64) bool { return filter.Test(bytesOf(k)) })
}

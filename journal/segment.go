package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A segment is a file of records: a head, then for each record the lengths of its block and of the
// block's filter, the CRC-32C of the lengths and the filter, and that of the block, four bytes
// each and little-endian; then the filter and the block. It is only appended to, by the process
// that created it. Its name begins with the time at which that was, so names sort by time.
const (
	segmentSuffix = ".journal"
	segmentMagic  = "LSYNCJN3"
	recordHeader  = 16
	recordMax     = 4 << 20 // blocks are far smaller; a larger length is damage
	// readAhead is how much is read at once: the filter of a block of the usual size.
	readAhead = 4 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendRecord(to, filter, payload []byte) []byte {
	to = binary.LittleEndian.AppendUint32(to, uint32(len(payload))) //nolint:gosec // far below
	to = binary.LittleEndian.AppendUint32(to, uint32(len(filter)))  //nolint:gosec // far below
	sum := crc32.Update(crc32.Checksum(to[len(to)-8:], castagnoli), castagnoli, filter)
	to = binary.LittleEndian.AppendUint32(to, sum)
	to = binary.LittleEndian.AppendUint32(to, crc32.Checksum(payload, castagnoli))
	return append(append(to, filter...), payload...)
}

// reading is how far a segment could be read.
type reading struct {
	size    int64
	good    int64 // bytes of whole records, the head included; what follows is torn
	foreign bool  // another version's
}

// scan calls each for every whole block of a segment that may have one of the keys, for all of
// them where keys is nil. A kill or a full disk tears the end of a segment. Only blocks that it
// reads are known to be undamaged.
func scan(path string, keys []uint64, each func(payload []byte)) (reading, error) {
	file, err := os.Open(path) //nolint:gosec // in our data directory
	if err != nil {
		return reading{}, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return reading{}, err
	}
	r, w := reading{size: info.Size()}, window{file: file}
	magic, err := w.bytes(0, len(segmentMagic))
	if err != nil || len(magic) < len(segmentMagic) {
		return r, err
	}
	if string(magic) != segmentMagic {
		r.foreign = true
		return r, nil
	}
	for r.good = int64(len(magic)); ; {
		length, err := w.record(r.good, r.size, keys, each)
		if length == 0 || err != nil {
			return r, err
		}
		r.good += length
	}
}

// window is the part of a file that is in memory.
type window struct {
	file io.ReaderAt
	at   int64
	data []byte
}

// bytes are those at a place of the file; fewer where it ends before.
func (w *window) bytes(at int64, size int) ([]byte, error) {
	if at < w.at || at+int64(size) > w.at+int64(len(w.data)) {
		w.data = slices.Grow(w.data[:0], max(size, readAhead))[:max(size, readAhead)]
		n, err := w.file.ReadAt(w.data, at)
		w.at, w.data = at, w.data[:n]
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	rest := w.data[at-w.at:]
	return rest[:min(size, len(rest))], nil
}

// record calls each for the block of the record at a place, where it may have one of the keys,
// and returns the record's length; 0 where none is whole.
func (w *window) record(at, end int64, keys []uint64, each func(payload []byte)) (int64, error) {
	header, err := w.bytes(at, recordHeader)
	if err != nil || len(header) < recordHeader {
		return 0, err
	}
	length, filters := binary.LittleEndian.Uint32(header), binary.LittleEndian.Uint32(header[4:])
	whole := recordHeader + int64(filters) + int64(length)
	if length > recordMax || filters > recordMax || at+whole > end {
		return 0, nil
	}
	front, err := w.bytes(at, recordHeader+int(filters))
	if err != nil || len(front) < recordHeader+int(filters) {
		return 0, err
	}
	filter := front[recordHeader:]
	if crc32.Update(crc32.Checksum(front[:8], castagnoli), castagnoli, filter) != binary.LittleEndian.Uint32(front[8:]) {
		return 0, nil
	}
	if keys != nil && !mayHave(filter, keys) {
		return whole, nil
	}
	sum := binary.LittleEndian.Uint32(front[12:])
	payload, err := w.bytes(at+recordHeader+int64(filters), int(length))
	if err != nil || len(payload) < int(length) || crc32.Checksum(payload, castagnoli) != sum {
		return 0, err
	}
	each(payload)
	return whole, nil
}

// File is what a journal writes to.
type File interface{ io.WriteCloser }

func createFile(path string) (File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600) //nolint:gosec // in our data directory
}

// segment is a file of a journal's directory.
type segment struct {
	path  string
	began time.Time // when it was created
	size  int64
	mine  bool // written by an owner of the data directory
}

func segmentName(began time.Time, writer string) string {
	return fmt.Sprintf("%016x-%s%s", began.UnixMilli(), writer, segmentSuffix)
}

// segments are the files of a directory, the oldest first; none where it does not exist.
func segments(dir string) ([]segment, error) {
	files, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	var list []segment
	for _, file := range files {
		stem, ok := strings.CutSuffix(file.Name(), segmentSuffix)
		digits, writer, dashed := strings.Cut(stem, "-")
		millis, err := strconv.ParseInt(digits, 16, 64)
		if !ok || !dashed || err != nil {
			continue
		}
		info, err := file.Info()
		if err != nil {
			continue // it was deleted just now
		}
		list = append(list, segment{filepath.Join(dir, file.Name()), time.UnixMilli(millis), info.Size(), strings.HasPrefix(writer, ownWriter)})
	}
	slices.SortStableFunc(list, func(a, b segment) int { return a.began.Compare(b.began) })
	return list, nil
}

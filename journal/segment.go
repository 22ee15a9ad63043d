package journal

import (
	"bytes"
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

// A segment is a file of records: a head, then for each record its length and its CRC-32C, four
// bytes each and little-endian, and a block. It is only appended to, by the process that created
// it. Its name begins with the time at which that was, so names sort by time.
const (
	segmentSuffix = ".journal"
	segmentMagic  = "LSYNCJN1"
	recordHeader  = 8
	recordMax     = 4 << 20 // blocks are far smaller; a larger length is damage
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendRecord(to, payload []byte) []byte {
	to = binary.LittleEndian.AppendUint32(to, uint32(len(payload))) //nolint:gosec // far below
	sum := crc32.Update(crc32.Checksum(to[len(to)-4:], castagnoli), castagnoli, payload)
	to = binary.LittleEndian.AppendUint32(to, sum)
	return append(to, payload...)
}

// records calls each for every whole record of a segment and returns how many bytes they take,
// the head included. What follows is torn: a kill or a full disk cut a write off.
func records(data []byte, each func(payload []byte)) (good int) {
	if !ours(data) {
		return 0
	}
	good = len(segmentMagic)
	for rest := data[good:]; len(rest) >= recordHeader; {
		length := binary.LittleEndian.Uint32(rest)
		if length > recordMax || int(length) > len(rest)-recordHeader {
			return good
		}
		payload := rest[recordHeader : recordHeader+int(length)]
		sum := crc32.Update(crc32.Checksum(rest[:4], castagnoli), castagnoli, payload)
		if sum != binary.LittleEndian.Uint32(rest[4:]) {
			return good
		}
		each(payload)
		good += recordHeader + int(length)
		rest = rest[recordHeader+int(length):]
	}
	return good
}

// ours tells segments of this form from others.
func ours(data []byte) bool { return bytes.HasPrefix(data, []byte(segmentMagic)) }

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

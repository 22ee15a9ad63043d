package spool

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// A segment is a file of records: each its length and its CRC-32C, four bytes each and
// little-endian, then that many bytes. It is only ever appended to, by the process that
// created it, and deleted when all of it is delivered. No file is renamed, because Windows
// does not rename open files.
const (
	segmentSuffix = ".spool"
	segmentMagic  = "LSYNCSP1"
	recordHeader  = 8
	recordMax     = 1 << 20 // callbacks are 64 KiB at most; a larger length is damage
)

// errTorn says that a segment ends in something that is not a whole record: a kill or a
// power cut leaves that of a write that was not confirmed.
var errTorn = errors.New("torn")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendRecord frames a payload. The CRC covers the length too, so that zeros are not a
// record.
func appendRecord(to, payload []byte) []byte {
	to = binary.LittleEndian.AppendUint32(to, uint32(len(payload))) //nolint:gosec // checked against recordMax
	sum := crc32.Update(crc32.Checksum(to[len(to)-4:], castagnoli), castagnoli, payload)
	to = binary.LittleEndian.AppendUint32(to, sum)
	return append(to, payload...)
}

// ReadRecords calls each for the payload of every whole record of a segment, in order,
// and returns how many bytes they take, the magic included. It returns nil at a clean
// end, the error of each, or an error that says where and how the rest is torn. It never
// panics, whatever the reader holds.
func ReadRecords(r io.Reader, each func(payload []byte) error) (good int64, err error) {
	in := bufio.NewReaderSize(r, 64<<10)
	magic := make([]byte, len(segmentMagic))
	if n, err := io.ReadFull(in, magic); err != nil || string(magic) != segmentMagic {
		if n == 0 && errors.Is(err, io.EOF) {
			return 0, nil // created, never written
		}
		if err := torn("", err); !errors.Is(err, errTorn) {
			return 0, err
		}
		return 0, fmt.Errorf("%w: the segment has no head", errTorn)
	}
	good = int64(len(segmentMagic))
	for {
		payload, err := readRecord(in)
		if errors.Is(err, io.EOF) {
			return good, nil
		}
		if err != nil {
			return good, fmt.Errorf("after %d bytes: %w", good, err)
		}
		if err := each(payload); err != nil {
			return good, err
		}
		good += int64(recordHeader + len(payload))
	}
}

// readRecord returns io.EOF at the very end alone.
func readRecord(in io.Reader) ([]byte, error) {
	var head [recordHeader]byte
	if n, err := io.ReadFull(in, head[:]); err != nil {
		if n == 0 && errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, torn("half a header", err)
	}
	length := binary.LittleEndian.Uint32(head[:4])
	if length > recordMax {
		return nil, torn("an impossible length", nil)
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(in, payload); err != nil {
		return nil, torn("half a record", err)
	}
	sum := crc32.Update(crc32.Checksum(head[:4], castagnoli), castagnoli, payload)
	if sum != binary.LittleEndian.Uint32(head[4:]) {
		return nil, torn("a wrong checksum", nil)
	}
	return payload, nil
}

// torn is errTorn, but where the disk could not be read.
func torn(what string, err error) error {
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return fmt.Errorf("%w: %s", errTorn, what)
}

// SegmentFile is what the spool writes to.
type SegmentFile interface {
	io.WriteCloser
	Sync() error
}

// createSegment creates a file and syncs its directory, so that its name is on disk too.
// Windows cannot sync a directory.
func createSegment(path string) (SegmentFile, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600) //nolint:gosec // in our data directory
	if err != nil {
		return nil, err
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := os.Open(path) //nolint:gosec // our data directory
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func segmentName(seq uint64) string { return fmt.Sprintf("%016x%s", seq, segmentSuffix) }

func segmentSeq(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	seq, err := strconv.ParseUint(digits, 16, 64)
	return seq, ok && err == nil && segmentName(seq) == name
}

package winservice

import (
	"crypto/sha1" //nolint:gosec // Windows derives the ids of services by it
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// ServiceSID is the id that Windows gives the virtual account of a service: the SHA-1 of its name in capitals.
// It can be named before the service exists.
func ServiceSID(name string) string {
	var text []byte
	for _, unit := range utf16.Encode([]rune(strings.ToUpper(name))) {
		text = binary.LittleEndian.AppendUint16(text, unit)
	}
	sum := sha1.Sum(text) //nolint:gosec // not for security: see above
	var sid strings.Builder
	sid.WriteString("S-1-5-80")
	for part := range slices.Chunk(sum[:], 4) {
		fmt.Fprintf(&sid, "-%d", binary.LittleEndian.Uint32(part))
	}
	return sid.String()
}

// The rights of the service, in the numbers of Windows: to read and run; to read, write, create and delete.
const (
	mayRead   = "0x1200a9"
	mayModify = "0x1301bf"
)

// dacl is an access list in the security descriptor language of Windows: administrators and the system may do
// everything, the service what rights say, nobody else anything. P keeps the directory above from adding to it;
// OICI hands it to files and directories below.
func dacl(sid, rights string) string {
	return "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;" + rights + ";;;" + sid + ")"
}

// access is a directory and its list.
type access struct{ path, dacl string }

// accesses are the lists of all places, from the top: the service reads its settings, and writes data and logs.
func (p Places) accesses(sid string) []access {
	return []access{
		{p.Root, dacl(sid, mayRead)},
		{p.Data, dacl(sid, mayModify)},
		{p.Logs, dacl(sid, mayModify)},
	}
}

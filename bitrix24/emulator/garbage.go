package emulator

import (
	"bytes"
	"net/http"
)

// answer writes an answer of the portal or of the authorization server as Faults.ErrorNull and
// Faults.Garbage disfigure it.
func (p *Portal) answer(w http.ResponseWriter, status int, body []byte) {
	f := p.Faults()
	if f.ErrorNull && status == http.StatusOK && bytes.HasPrefix(body, []byte("{")) && !bytes.HasPrefix(body, []byte(`{"error"`)) {
		body = append([]byte(`{"error":null,"error_description":null,`), body[1:]...)
	}
	writeJSON(w, status, f.litter(body))
}

// litter adds what PHP or an edited file puts around an answer.
func (f *Faults) litter(body []byte) []byte {
	switch f.Garbage {
	case "warning":
		return append([]byte("<br />\n<b>Warning</b>:  Undefined array key 3 in <b>/home/bitrix/www/local/php_interface/init.php</b> on line <b>42</b><br />\n"), body...)
	case "bom":
		return append([]byte("\xef\xbb\xbf"), body...)
	case "spaces":
		return append(append([]byte("\r\n\r\n  "), body...), "\r\n"...)
	case "notice_after":
		return append(bytes.Clone(body), "\n<br />\n<b>Deprecated</b>:  Optional parameter before required one in <b>init.php</b> on line <b>7</b><br />\n"...)
	default:
		return body
	}
}

// brokenByte marks a lead that PHP cannot encode in the JSON of an answer: no other answer
// contains it, because everything that is not ASCII is escaped.
const brokenByte = 0xff

// encode is what is left of an answer when json_encode gives up on a lead in it.
func (f *Faults) encode(body []byte) []byte {
	at := -1
	if f.Unencodable != "" || f.UnencodableShare > 0 {
		at = bytes.IndexByte(body, brokenByte)
	}
	switch {
	case at < 0:
		return body
	case f.UnencodableAs == "false":
		return []byte("false")
	case f.UnencodableAs == "cut":
		return body[:at]
	default:
		return nil
	}
}

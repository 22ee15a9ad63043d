package emulator

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// A portal writes JSON with PHP: it escapes '/' and everything that is not ASCII, keeps the
// order of keys, and writes an empty map as [] and a map with the keys 0..n-1 as a list
// (docs/bitrix24.md 3.2 and 5.2). encoding/json can do none of this.

// object is a JSON object whose keys keep their order.
type object []pair

type pair struct {
	key string
	val any
}

// array is a PHP array: written as [] if it is empty, as a list if its keys are 0..n-1 in
// that order, and as an object otherwise.
type array []pair

// list is a JSON list.
type list []any

// encoder is a result that writes its own JSON, for speed.
type encoder interface {
	appendJSON(dst []byte) []byte
}

// appendValue writes a value the way PHP's json_encode does.
func appendValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case string:
		return appendString(dst, v)
	case bool:
		return strconv.AppendBool(dst, v)
	case int:
		return strconv.AppendInt(dst, int64(v), 10)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case float64:
		return appendFloat(dst, v)
	case object:
		return appendObject(dst, v)
	case array:
		return appendArray(dst, v)
	case list:
		return appendList(dst, v)
	case []string:
		dst = append(dst, '[')
		for i, s := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, s)
		}
		return append(dst, ']')
	case encoder:
		return v.appendJSON(dst)
	default:
		panic("emulator: cannot write a value of this type as JSON")
	}
}

func appendObject(dst []byte, o object) []byte {
	dst = append(dst, '{')
	for i, p := range o {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, p.key)
		dst = append(dst, ':')
		dst = appendValue(dst, p.val)
	}
	return append(dst, '}')
}

func appendArray(dst []byte, a array) []byte {
	for i, p := range a {
		if p.key != strconv.Itoa(i) {
			return appendObject(dst, object(a))
		}
	}
	dst = append(dst, '[')
	for i, p := range a {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendValue(dst, p.val)
	}
	return append(dst, ']')
}

func appendList(dst []byte, l list) []byte {
	dst = append(dst, '[')
	for i, v := range l {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendValue(dst, v)
	}
	return append(dst, ']')
}

// appendFloat writes whole numbers without a fraction: PHP prints 0.0 as 0.
func appendFloat(dst []byte, f float64) []byte {
	if f == 0 {
		return append(dst, '0')
	}
	if f > 1e-5 || f < -1e-5 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	return strconv.AppendFloat(dst, f, 'e', -1, 64)
}

const hexDigits = "0123456789abcdef"

// plainByte marks the bytes that PHP's JSON does not escape.
var plainByte = func() (t [256]bool) {
	for c := 0x20; c < 0x7f; c++ {
		t[c] = c != '"' && c != '\\' && c != '/'
	}
	t[0x7f] = true
	return t
}()

func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if plainByte[c] {
			i++
			continue
		}
		dst = append(dst, s[from:i]...)
		if c < utf8.RuneSelf {
			dst = appendEscape(dst, c)
			i++
		} else {
			r, size := utf8.DecodeRuneInString(s[i:])
			dst = appendRune(dst, r)
			i += size
		}
		from = i
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\', '/':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	default:
		return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	}
}

// appendRune writes \uXXXX, a surrogate pair beyond the basic plane.
func appendRune(dst []byte, r rune) []byte {
	if r >= 0x10000 {
		r -= 0x10000
		dst = appendRune(dst, 0xd800+r>>10)
		return appendRune(dst, 0xdc00+r&0x3ff)
	}
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// unescape turns \uXXXX back into UTF-8, for Switches.RawUnicode. Control
// characters stay escaped.
func unescape(body []byte) []byte {
	out := make([]byte, 0, len(body))
	var high rune // the first half of a surrogate pair
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' || i+1 == len(body) {
			out = append(out, body[i])
			continue
		}
		if body[i+1] != 'u' || i+6 > len(body) {
			out = append(out, body[i], body[i+1])
			i++
			continue
		}
		n, err := strconv.ParseUint(string(body[i+2:i+6]), 16, 16)
		r := rune(n)
		switch {
		case err != nil || r < 0x20:
			out = append(out, body[i:i+6]...)
		case utf16.IsSurrogate(r) && high == 0:
			high = r
		case high != 0:
			out, high = utf8.AppendRune(out, utf16.DecodeRune(high, r)), 0
		default:
			out = utf8.AppendRune(out, r)
		}
		i += 5
	}
	return out
}

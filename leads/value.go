package leads

import (
	"bytes"
	"encoding/json"

	"leadsync/leads/parts"
)

// decoded is the value of a valid JSON text, with numbers as they are written.
func decoded(value json.RawMessage) (v any, err error) {
	value = bytes.TrimSpace(value)
	if len(value) > 0 {
		switch value[0] {
		case '"':
			return parts.Text(value), nil
		case 'n':
			return nil, nil
		case 't', 'f':
			return value[0] == 't', nil
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			return json.Number(value), nil
		}
	}
	dec := json.NewDecoder(bytes.NewReader(value))
	dec.UseNumber()
	err = dec.Decode(&v)
	return v, err
}

package iampolicy_test

import (
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// jsonText is a text as JSON has it; texts that JSON cannot hold fail.
func jsonText(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", errors.New("no UTF-8")
	}
	b, err := json.Marshal(s)
	return string(b), err
}

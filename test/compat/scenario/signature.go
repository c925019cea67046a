package scenario

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Signature is how a request is to be signed, as "> signed …" describes it. Placeholders are still in its texts.
type Signature struct {
	AccessKeyID, Secret string
	Token               string        // of temporary credentials
	Ago                 time.Duration // how old the signature is
	Region, Service     string        // empty: the target's, execute-api
	Path                string        // signed instead of the request's own; empty: that one
	Query               bool          // in the query string instead of headers
}

// ParseSignature reads "ID SECRET [token TOKEN] [ago 10m] [region R] [service S] [path P] [query]".
func ParseSignature(text string) (Signature, error) {
	words := strings.Fields(text)
	if len(words) < 2 {
		return Signature{}, errors.New("want an access key's ID and its secret")
	}
	s := Signature{AccessKeyID: words[0], Secret: words[1]}
	for words = words[2:]; len(words) > 0; words = words[1:] {
		if words[0] == "query" {
			s.Query = true
			continue
		}
		if len(words) < 2 {
			return s, fmt.Errorf("%q needs a value: there are token, ago, region, service, path, each with one, and query", words[0])
		}
		value := words[1]
		switch words[0] {
		case "token":
			s.Token = value
		case "ago":
			d, err := time.ParseDuration(value)
			if err != nil {
				return s, fmt.Errorf("ago: %w", err)
			}
			s.Ago = d
		case "region":
			s.Region = value
		case "service":
			s.Service = value
		case "path":
			s.Path = value
		default:
			return s, fmt.Errorf("unknown %q: there are token, ago, region, service, path, each with a value, and query", words[0])
		}
		words = words[1:]
	}
	return s, nil
}

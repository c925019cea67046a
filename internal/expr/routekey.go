package expr

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"cleat/internal/apigw"
)

// CheckRouteKey says what is wrong with a route key, nil when it is fit: 1 to 128 characters, and no $ at its start
// unless it is $connect, $disconnect or $default (spec data-plane §4.1).
func CheckRouteKey(key string) error {
	switch {
	case key == "":
		return errors.New("a route key must not be empty")
	case utf8.RuneCountInString(key) > apigw.QuotaRouteKey:
		return fmt.Errorf("route key %.20q… is longer than %d characters", key, apigw.QuotaRouteKey)
	case key == apigw.RouteConnect, key == apigw.RouteDisconnect, key == apigw.RouteDefault:
		return nil
	case key[0] == '$':
		return fmt.Errorf("route key %q: only $connect, $disconnect and $default may begin with $", key)
	}
	return nil
}

package gateway_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"cleat/internal/apigw"
	"cleat/internal/store"
)

// wide are the limits of profile "aws" without the rates.
func wide() apigw.Limits {
	l := apigw.LimitsAWS()
	l.ConnectRate, l.RequestRate = 0, 0
	return l
}

func wantRefusal(t *testing.T, what string, res *http.Response, status int, errType, message string) {
	t.Helper()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != status || res.Header.Get("X-Amzn-Errortype") != errType || !strings.HasPrefix(string(body), `{"message": "`+message+`", "connectionId":"`) {
		t.Errorf("%s: got %d %v %s, want %d %s %s", what, res.StatusCode, res.Header, body, status, errType, message)
	}
}

// A node lets in so many new connections a second, whether or not there is a $connect route (spec data-plane §7 and §8).
func TestConnectRate(t *testing.T) {
	for name, routes := range map[string]map[string]string{
		"with $connect": {"$connect": "hello"}, "without": {"$default": "any"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limits := wide()
				limits.ConnectRate = 4 // two at once
				b := newBubble(t, api{routes: routes}.serving(1), limits)
				b.open(t, nil)
				b.open(t, nil)
				_, res := b.dial(t, nil)
				wantRefusal(t, "the third at once", res, 429, "TooManyRequestsException", "Too Many Requests")
				if n := b.functions.count("hello"); n > 2 {
					t.Errorf("$connect ran %d times", n)
				}
				time.Sleep(250 * time.Millisecond)
				b.open(t, nil)
				if _, res := b.dial(t, nil); res.StatusCode != 429 {
					t.Errorf("a second after a quarter of a second: got %d", res.StatusCode)
				}
				// Limits that stay do not fill the bucket; others make another.
				if err := b.SetLimits(limits); err != nil {
					t.Fatal(err)
				}
				if _, res := b.dial(t, nil); res.StatusCode != 429 {
					t.Errorf("after the same limits again: got %d", res.StatusCode)
				}
				if err := b.SetLimits(wide()); err != nil {
					t.Fatal(err)
				}
				for range 10 {
					b.open(t, nil)
				}
			})
		})
	}
}

// Connects, messages and management requests share the account's bucket; a $disconnect takes nothing (spec data-plane
// §7, management-api §4 and §8, events of §6).
func TestRequestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := wide()
		limits.RequestRate, limits.RequestBurst = 1, 3
		b := newBubble(t, api{routes: map[string]string{"$connect": "hello", "$default": "any", "$disconnect": "bye"}, twoWay: []string{"$default"}}.serving(1), limits)
		b.functions.returns("any", `{"body":"heard"}`)
		ws := b.open(t, nil)
		id, _ := requestContext(t, b.functions.await(t, "hello"))["connectionId"].(string)
		say(t, ws, "one")
		if got := hear(t, ws); got != "heard" {
			t.Errorf("the first message: got %s", got)
		}
		heard := make(chan string, 1)
		go func() { heard <- hear(t, ws) }() // a pipe holds nothing
		if w := b.push(t, id); w.Code != 200 {
			t.Errorf("a push: got %d", w.Code)
		}
		if got := <-heard; got != "hello" {
			t.Errorf("got %s", got)
		}
		w := b.push(t, id)
		errType := "x-amzn-ErrorType" // AWS's spelling
		if got := strings.TrimSpace(w.Body.String()); w.Code != 429 || !slices.Equal(w.Header()[errType], []string{"LimitExceededException"}) || got != `{"message":"Too Many Requests"}` {
			t.Errorf("a push too many: got %d %v %s", w.Code, w.Header(), got)
		}
		say(t, ws, "two")
		if got := hear(t, ws); !strings.HasPrefix(got, `{"message": "Too Many Requests", "connectionId":"`+id+`", "requestId":"`) {
			t.Errorf("a message too many: got %s", got)
		}
		if _, res := b.dial(t, nil); res.StatusCode != 429 {
			t.Errorf("a connect too many: got %d", res.StatusCode)
		}
		if n := b.functions.count("any"); n != 1 {
			t.Errorf("$default ran %d times, want once", n)
		}
		time.Sleep(time.Second)
		say(t, ws, "three")
		if got := hear(t, ws); got != "heard" {
			t.Errorf("a second later: got %s", got)
		}
		if err := ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		_, _, _ = ws.ReadMessage()
		b.functions.await(t, "bye")
	})
}

// throttled gives the stage of a serving throttles.
func throttled(s store.Serving, all *apigw.RouteSettings, routes map[string]apigw.RouteSettings) store.Serving {
	s.Stages[0].Stage.DefaultRouteSettings, s.Stages[0].Stage.RouteSettings = all, routes
	return s
}

func rate(r float64, burst int) apigw.RouteSettings {
	return apigw.RouteSettings{ThrottlingRateLimit: r, ThrottlingBurstLimit: burst}
}

// A stage's throttles: each route has its own bucket, by its own settings or the default ones (spec data-plane §7,
// control-plane §11). A new deployment fills no bucket whose settings stay.
func TestStageThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := api{routes: map[string]string{"$connect": "hello", "a": "f", "b": "f", "free": "f"}, twoWay: []string{"a", "b", "free"}}
		all := rate(1, 1)
		routes := map[string]apigw.RouteSettings{
			"b": rate(1, 2), "$connect": rate(1, 2), "free": rate(1000, 1000),
			"a": {LoggingLevel: "INFO"}, // says nothing about throttles
		}
		b := newBubble(t, throttled(a.serving(1), &all, routes), wide())
		b.functions.returns("f", `{"body":"ok"}`)
		ws := b.open(t, nil)
		expect := func(when, action, want string) {
			t.Helper()
			say(t, ws, `{"action":"`+action+`"}`)
			if got := hear(t, ws); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s got %s, want %s", when, action, got, want)
			}
		}
		const tooMany = `{"message": "Too Many Requests", `
		expect("first", "a", "ok")
		expect("second", "a", tooMany)
		expect("first", "b", "ok")
		expect("second", "b", "ok")
		expect("third", "b", tooMany)
		for range 5 {
			expect("many", "free", "ok")
		}
		b.open(t, nil)
		_, res := b.dial(t, nil)
		wantRefusal(t, "the third connect", res, 429, "TooManyRequestsException", "Too Many Requests")

		routes["b"] = rate(5, 2)
		if err := b.Swap(throttled(a.serving(2), &all, routes)); err != nil {
			t.Fatal(err)
		}
		expect("after a deployment", "a", tooMany)
		expect("after other settings", "b", "ok")
		time.Sleep(time.Second)
		expect("a second later", "a", "ok")
		if err := b.Swap(a.serving(3)); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			expect("without throttles", "a", "ok")
		}
	})
}

// A client that its route's throttle stops takes nothing from everybody's bucket.
func TestNarrowLimitsComeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := wide()
		limits.RequestRate, limits.RequestBurst = 1, 3
		all := rate(1, 1)
		b := newBubble(t, throttled(api{routes: map[string]string{"a": "f", "b": "f"}, twoWay: []string{"a", "b"}}.serving(1), &all, nil), limits)
		b.functions.returns("f", `{"body":"ok"}`)
		ws := b.open(t, nil)
		for i, want := range []string{"ok", "{", "{", "{"} {
			say(t, ws, `{"action":"a"}`)
			if got := hear(t, ws); !strings.HasPrefix(got, want) {
				t.Errorf("a, %d: got %s", i, got)
			}
		}
		say(t, ws, `{"action":"b"}`)
		if got := hear(t, ws); got != "ok" {
			t.Errorf("b: got %s", got)
		}
	})
}

// In profile "open" nothing is refused; what AWS would have refused is counted and logged once (design: limits).
func TestExcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, api{routes: map[string]string{"$default": "any"}}.serving(1), apigw.LimitsOpen())
		ws := b.open(t, nil)
		for range apigw.QuotaConnectBurst + 2 { // there is no socket to take over, but that is found later
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/prod", nil)
			for name, value := range map[string]string{
				"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "Q0FGRUJBQkVERUFEQkVFRg==",
			} {
				r.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			if b.ServeHTTP(w, r); w.Code == 429 {
				t.Fatal("refused")
			}
		}
		for range apigw.QuotaRequestBurst {
			if w := b.push(t, "Qyi07eCbtjMCJKw="); w.Code == 429 {
				t.Fatal("refused")
			}
		}
		if err := ws.WriteMessage(websocket.BinaryMessage, make([]byte, apigw.QuotaMessageSize+1)); err != nil {
			t.Fatal(err)
		}
		b.functions.await(t, "any")
		for e, want := range map[apigw.Excess]uint64{
			apigw.ExcessConnectRate: 3, // and the one at the start
			apigw.ExcessRequestRate: apigw.QuotaConnectBurst + 4,
			apigw.ExcessMessageSize: 1,
			apigw.ExcessFrameSize:   1,
			apigw.ExcessBinary:      1,
		} {
			if got := b.Excess(e); got != want {
				t.Errorf("%v: %d times, want %d", e, got, want)
			}
			if n := strings.Count(b.log.String(), e.String()); n != 1 {
				t.Errorf("%v: logged %d times, want once", e, n)
			}
		}
	})
}

// Nothing is counted where the limits are AWS's own.
func TestNoExcessUnderAWSLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, api{}.serving(1), apigw.LimitsAWS())
		refused := 0
		for range apigw.QuotaRequestBurst + 10 {
			if w := b.push(t, "Qyi07eCbtjMCJKw="); w.Code == 429 {
				refused++
			}
		}
		if refused != 10 || b.Excess(apigw.ExcessRequestRate) != 0 {
			t.Errorf("%d refused, %d counted; want 10 and 0", refused, b.Excess(apigw.ExcessRequestRate))
		}
	})
}

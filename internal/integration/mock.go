package integration

import (
	"regexp"
	"strconv"

	"github.com/tidwall/gjson"

	"cleat/internal/apigw"
	"cleat/internal/jsonpath"
)

// mock answers by itself: its request template says with which status (spec events-and-integrations §8.3).
type mock struct {
	request   requestShape
	responses *responses
}

func (c *compiler) mock() *mock {
	return &mock{request: c.requestShape(), responses: c.parseResponses("${integration.response.statuscode}")}
}

func (m *mock) answer(ev *apigw.Event, room *Room) (Result, error) {
	x := room.begin(ev)
	payload, t, err := m.request.appendPayload(room.payload[:0], x)
	if err != nil {
		return Result{}, err
	}
	var status int
	var ok bool
	if t != nil && t.constant != nil {
		status, ok = t.status, t.status != 0
	} else {
		if t != nil {
			room.payload = payload
		}
		status, ok = mockStatus(payload)
	}
	if !ok {
		return Result{Request: payload}, misconfigured(`the request template of a MOCK integration must give an object with a statusCode, such as {"statusCode": 200}`)
	}
	a := &room.result
	a.StatusCode = status
	if len(m.responses.entries) == 0 {
		res := Result{Called: true, CallStatus: status, Status: status, BackendStatus: status, Request: payload} // MOCK alone needs none (spec data-plane §2)
		if x.overrides.Status != 0 {
			res.Status = x.overrides.Status
		}
		return res, nil
	}
	res, err := m.responses.apply(room.body[:0], x, a)
	if res.HasBody {
		room.body = res.Body
	}
	res.Called, res.CallStatus, res.Request = true, status, payload
	return res, err
}

// lenientStatus reads what is not quite JSON, such as {statusCode: 200}.
var lenientStatus = regexp.MustCompile(`\A\s*\{(?:.*[,\s])?\s*['"]?statusCode['"]?\s*:\s*['"]?(\d{3})['"]?\s*(?:,(?s:.*))?\}\s*\z`)

// mockStatus finds the status code in what a MOCK integration's request template gave.
func mockStatus(payload []byte) (int, bool) {
	text := ""
	if jsonpath.Valid(payload) {
		v := gjson.ParseBytes(payload)
		if !v.IsObject() {
			return 0, false
		}
		text = v.Get("statusCode").String()
	} else if m := lenientStatus.FindSubmatch(payload); m != nil {
		text = string(m[1])
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 100 && n <= 599
}

package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"cleat/internal/apigw"
	"cleat/internal/awsapi"
	"cleat/internal/conn"
	"cleat/internal/integration"
)

// Message handles one message of a client (spec data-plane §4.3): select the route, call its integration, and send
// what a two-way route answers, or the error frame. It implements conn.Handler, and yields (conn.Options.Yields): to the
// integration that waits for a backend, the template that is long, and whatever goes through more than quickBytes.
func (g *Gateway) Message(id apigw.ConnectionID, attachment any, m conn.Message) {
	s, ok := attachment.(*session)
	if !ok {
		return
	}
	if m.Yield == nil {
		m.Yield = func() {}
	}
	if len(m.Data) > quickBytes {
		m.Yield()
	}
	now := time.Now()
	snap := s.stage.snapshot.Load()
	o := s.occur(apigw.EventMessage, "message", id, now, snap.variables)
	o.room.Yield, o.room.Await = m.Yield, m.Await
	ev, rec := &o.event, &o.record
	ev.Body, ev.Binary = m.Data, m.Binary
	ev.Context.MessageID = apigw.NewMessageID(id)
	rec.BytesIn = len(m.Data)
	g.compare(len(m.Data), m.Binary)
	if m.LargestFrame > apigw.QuotaFrameSize {
		g.exceed(apigw.ExcessFrameSize)
	}
	p, selected, err := snap.selectRoute(ev)
	var res integration.Result
	if err == nil {
		ev.Context.RouteKey, rec.RouteKey = p.route.RouteKey, p.route.RouteKey
		if err = g.admitMessage(s, p, now); err == nil {
			err = p.validate(ev, rec)
		}
		if err == nil {
			res, err = p.run(g.stopped, ev, rec, &o.room)
		}
	}
	rec.Selected, rec.Target, rec.Status = selected, p.target(), res.Status
	if err == nil && p.twoWay && res.HasBody {
		rec.BytesOut, rec.Reply = len(res.Body), res.Body
		if len(res.Body) > quickBytes {
			m.Yield()
		}
		rec.Sent, err = g.reply(id, res.Body)
	}
	if err != nil {
		failed(rec, err)
		if selected == "" && !ev.Binary { // which route was looked for is half of why
			rec.Selected, _ = snap.explain(ev.Body)
		}
		frame := awsapi.ErrorFrame(err, id, ev.Context.RequestID)
		if sendErr := g.hub.Send(id, frame); sendErr != nil {
			rec.Err = errors.Join(err, fmt.Errorf("send the error frame: %w", sendErr))
		} else {
			rec.BytesOut, rec.Reply, rec.Sent = len(frame), frame, true
		}
	}
	rec.Duration = time.Since(now)
	if g.observeWaits {
		m.Yield()
	}
	g.observe(rec)
	o.leave() // a panic leaves it to the garbage collector
}

// quickBytes are gone through in a few hundred microseconds, whatever is done with them: JSON, a model, compression.
const quickBytes = 8 << 10

// selectRoute finds the route of a message. Where there is none it returns what the expression gave, and the error that
// the client is told.
func (s *snapshot) selectRoute(ev *apigw.Event) (*plan, string, error) {
	body := ev.Body
	if ev.Binary {
		body = nil // no JSON: the fallback route
	}
	if _, p, ok := s.table.Select(body); ok {
		return p, "", nil
	}
	value, object := s.explain(body)
	why := fmt.Sprintf("%s gave %q, which is no route", s.table.Expression(), value)
	switch {
	case ev.Binary:
		why = "a binary message selects no route"
	case !object:
		why = "the message is no JSON object"
	case value == "":
		why = s.table.Expression() + " gave nothing"
	}
	return nil, value, &apigw.Error{Kind: apigw.KindForbidden, Err: errors.New(why + ", and there is no $default route")}
}

// explain is what the route selection expression gives for a message, cut where it is longer than any route key: it is told
// to logs, and a record may wait for those who read them.
func (s *snapshot) explain(body []byte) (value string, object bool) {
	const most = apigw.QuotaRouteKey * utf8.UTFMax
	value, object = s.table.Explain(body)
	if len(value) > most {
		value = strings.ToValidUTF8(value[:most], "") + "…"
	}
	return value, object
}

// run runs the route's integration, in a room that is used again, and notes in rec how that went.
func (p *plan) run(ctx context.Context, ev *apigw.Event, rec *apigw.Record, room *integration.Room) (integration.Result, error) {
	if p.integration == nil {
		return integration.Result{}, &apigw.Error{Kind: apigw.KindIntegrationConfig, Err: fmt.Errorf("route %s has no target integration", p.route.RouteKey)}
	}
	start := time.Now()
	res, err := p.integration.Do(ctx, ev, room)
	rec.BackendStatus, rec.Request, rec.Response = res.BackendStatus, res.Request, res.Response
	rec.Integration = apigw.Step{Taken: res.Called, Status: res.CallStatus, RequestID: res.FunctionRequestID, Error: res.Cause}
	if res.Called {
		rec.Integration.Latency = time.Since(start)
	}
	if err != nil && rec.Integration.Error == "" {
		rec.Integration.Error = err.Error()
	}
	return res, err
}

// reply sends the answer of a two-way route. A client that left before its answer is no error.
func (g *Gateway) reply(id apigw.ConnectionID, body []byte) (sent bool, err error) {
	send := g.hub.Send
	binary := !utf8.Valid(body)
	if binary {
		if !g.limits.Load().Binary { // a text message that is not UTF-8 would end the connection
			return false, &apigw.Error{Kind: apigw.KindInternal, Err: errors.New("the reply is not valid UTF-8 text")}
		}
		send = g.hub.SendBinary
	}
	if err = send(id, body); err == nil {
		g.compare(len(body), binary)
	}
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, conn.ErrGone): // nobody is wronged
		return false, nil
	case errors.Is(err, conn.ErrTooLarge):
		return false, &apigw.Error{Kind: apigw.KindInternal, Err: fmt.Errorf("the reply has %d bytes: %w", len(body), err)}
	}
	return false, fmt.Errorf("send the reply: %w", err)
}

// Closed delivers the $disconnect event of a connection that has ended. Its result is ignored, and it cannot talk to
// the client any more (spec data-plane §3.3). It implements conn.Handler, and yields as Message does.
func (g *Gateway) Closed(id apigw.ConnectionID, attachment any, reason conn.CloseReason, yield func()) {
	s, ok := attachment.(*session)
	if !ok {
		return
	}
	now := time.Now()
	snap := s.stage.snapshot.Load()
	o := s.occur(apigw.EventDisconnect, "disconnect", id, now, snap.variables)
	o.room.Yield = yield
	ev, rec := &o.event, &o.record
	ev.Context.DisconnectStatusCode, ev.Context.DisconnectReason = reason.Code, reason.Text
	var res integration.Result
	var err error
	p, ok := snap.table.Lookup(apigw.RouteDisconnect)
	if ok {
		ev.Context.RouteKey, rec.RouteKey = apigw.RouteDisconnect, apigw.RouteDisconnect
		res, err = p.run(g.stopped, ev, rec, &o.room)
	}
	rec.Target, rec.Status = p.target(), res.Status
	if err != nil {
		failed(rec, err)
	}
	rec.CloseCode, rec.CloseReason, rec.Duration = reason.Code, reason.Text, time.Since(now)
	if g.observeWaits {
		yield()
	}
	g.observe(rec)
	o.leave()
}

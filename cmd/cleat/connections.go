package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"
)

// connectionsCommand is the management API from a shell.
type connectionsCommand struct {
	Endpoint string `default:"http://localhost:3001" help:"Management endpoint: where Cleat listens, with or without the stage's path." placeholder:"URL"`

	Ls   connectionsLs   `cmd:"" help:"List the live connections."`
	Get  connectionsGet  `cmd:"" help:"Show one connection."`
	Post connectionsPost `cmd:"" help:"Send a message to a connection, from the command line or standard input."`
	Rm   connectionsRm   `cmd:"" help:"Close a connection."`
	Tail connectionsTail `cmd:"" help:"Follow events as they happen, of all connections or one."`
}

// requestTime bounds one management request.
const requestTime = 30 * time.Second

// request makes one management request below the endpoint and returns the answer's body, which the endpoint bounds.
func (c *connectionsCommand) request(ctx context.Context, method, path string, body io.Reader) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	res, err := c.do(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	const most = 16 << 20
	answer, err := io.ReadAll(io.LimitReader(res.Body, most))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", c.Endpoint, err)
	}
	if res.StatusCode >= http.StatusBadRequest {
		return nil, refusal(res, answer)
	}
	return answer, nil
}

func (c *connectionsCommand) do(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.Endpoint, "/")+path, body)
	if err != nil {
		return nil, fmt.Errorf("--endpoint: %w", err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%w\nIs Cleat running there? Name another place with --endpoint", err)
	}
	return res, nil
}

// refusal puts an error answer into words.
func refusal(res *http.Response, body []byte) error {
	if res.StatusCode == http.StatusGone {
		gone := res.Header.Get("X-Cleat-Gone")
		if gone == "" {
			gone = "the connection is closed, still connecting, or never was"
		}
		return errors.New("410 GoneException: " + printable(gone))
	}
	var said struct{ Message string }
	text := strings.TrimSpace(string(body))
	if json.Unmarshal(body, &said) == nil && said.Message != "" { // field names match without regard to case
		text = said.Message
	}
	return errors.New(printable(fmt.Sprintf("%d %s: %s", res.StatusCode, res.Header.Get("X-Amzn-Errortype"), text)))
}

func connectionPath(id string) string { return "/@connections/" + url.PathEscape(id) }

type connection struct {
	ConnectionID string `json:"connectionId"`
	APIID        string `json:"apiId"`
	Stage        string `json:"stage"`
	ConnectedAt  string `json:"connectedAt"`
	LastActiveAt string `json:"lastActiveAt"`
	Identity     struct {
		SourceIP  string `json:"sourceIp"`
		UserAgent string `json:"userAgent"`
	} `json:"identity"`
}

type connectionsLs struct {
	JSON bool `name:"json" help:"One JSON object a line."`
}

// Run lists every live connection, page by page.
func (l *connectionsLs) Run(p *process, c *connectionsCommand) error {
	table := tabwriter.NewWriter(p.stdout, 0, 8, 2, ' ', 0)
	if !l.JSON {
		_, _ = fmt.Fprintln(table, "CONNECTION\tAPI\tSTAGE\tCONNECTED\tLAST ACTIVE\tFROM\tUSER AGENT")
	}
	for next := ""; ; {
		query := url.Values{"maxResults": {"1000"}}
		if next != "" {
			query.Set("nextToken", next)
		}
		body, err := c.request(p.ctx, http.MethodGet, "/@connections?"+query.Encode(), nil)
		if err != nil {
			return err
		}
		var page struct {
			Connections []connection `json:"connections"`
			NextToken   string       `json:"nextToken"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return fmt.Errorf("%s did not answer with a list of connections: %w", c.Endpoint, err)
		}
		for _, x := range page.Connections {
			if l.JSON {
				err = json.NewEncoder(p.stdout).Encode(x)
			} else {
				_, err = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", printable(x.ConnectionID), printable(x.APIID), printable(x.Stage), x.ConnectedAt, x.LastActiveAt, x.Identity.SourceIP, printable(x.Identity.UserAgent))
			}
			if err != nil {
				return err
			}
		}
		if next = page.NextToken; next == "" {
			return table.Flush()
		}
	}
}

type connectionsGet struct {
	ID string `arg:"" help:"The connection's ID."`
}

// Run shows one connection as the management API does.
func (g *connectionsGet) Run(p *process, c *connectionsCommand) error {
	body, err := c.request(p.ctx, http.MethodGet, connectionPath(g.ID), nil)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, body, "", "  "); err != nil {
		return fmt.Errorf("%s did not answer with JSON: %w", c.Endpoint, err)
	}
	_, err = fmt.Fprintln(p.stdout, out.String())
	return err
}

type connectionsPost struct {
	ID      string `arg:"" help:"The connection's ID."`
	Message string `arg:"" optional:"" default:"-" help:"The message's text; without it, or as -, standard input is sent."`
}

// Run pushes one message.
func (m *connectionsPost) Run(p *process, c *connectionsCommand) error {
	var body io.Reader = strings.NewReader(m.Message)
	if m.Message == "-" {
		body = p.stdin
	}
	_, err := c.request(p.ctx, http.MethodPost, connectionPath(m.ID), body)
	return err
}

type connectionsRm struct {
	IDs []string `arg:"" name:"id" help:"The connections' IDs."`
}

// Run closes connections; one that is gone does not keep the others open.
func (r *connectionsRm) Run(p *process, c *connectionsCommand) error {
	var failed []error
	for _, id := range r.IDs {
		if _, err := c.request(p.ctx, http.MethodDelete, connectionPath(id), nil); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", id, err))
		}
	}
	return errors.Join(failed...)
}

type connectionsTail struct {
	ID string `arg:"" optional:"" help:"Only this connection's events."`
}

// Run prints events, one JSON object a line, until the process is told to stop or the node ends.
func (t *connectionsTail) Run(p *process, c *connectionsCommand) error {
	base, err := url.Parse(c.Endpoint)
	if err != nil {
		return fmt.Errorf("--endpoint: %w", err)
	}
	root := &connectionsCommand{Endpoint: base.Scheme + "://" + base.Host}
	res, err := root.do(p.ctx, http.MethodGet, "/_cleat/events", nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(res.Body, 4<<10)) // what came of it is shown as it is
		return refusal(res, body)
	}
	dec := json.NewDecoder(res.Body)
	for {
		var raw json.RawMessage
		err := dec.Decode(&raw)
		switch {
		case p.ctx.Err() != nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return fmt.Errorf("follow the events of %s: %w", c.Endpoint, err)
		}
		var of struct {
			ID string `json:"connection_id"`
		}
		if t.ID != "" && (json.Unmarshal(raw, &of) != nil || of.ID != t.ID) {
			continue
		}
		if _, err := fmt.Fprintf(p.stdout, "%s\n", raw); err != nil {
			return err
		}
	}
}

package eventlog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// FileOptions say when a log file is rotated.
type FileOptions struct {
	MaxSize int64 // bytes at which a file is put aside; zero: 100 MB
	Keep    int   // files put aside that are kept, the newest as NAME.1; zero: 5
}

// Open returns the output that a target names: "stdout" or "stderr" (std is what they mean), a file's path, the URL of a
// collector that takes lines by POST, or "otlp+" and the base URL of an OpenTelemetry collector. It fails on a target that
// is none of these and on a file that cannot be written.
func Open(target, service string, std map[string]io.Writer, o FileOptions) (Output, error) {
	scheme, rest, _ := strings.Cut(target, "://")
	switch {
	case target == "":
		return nil, errors.New("no target: want stdout, stderr, a file, an http(s):// or an otlp+http(s):// URL")
	case std[target] != nil:
		return writer{std[target]}, nil
	case scheme == "http" || scheme == "https":
		return newCollector(target, func(text []byte, _ []time.Time) ([]byte, string, error) {
			kind := "text/plain; charset=utf-8"
			if len(text) > 0 && text[0] == '{' {
				kind = "application/x-ndjson"
			}
			return text, kind, nil
		})
	case scheme == "otlp+http" || scheme == "otlp+https":
		base := strings.TrimPrefix(scheme, "otlp+") + "://" + strings.TrimSuffix(rest, "/")
		if !strings.HasSuffix(base, otlpPath) {
			base += otlpPath
		}
		return newCollector(base, func(text []byte, times []time.Time) ([]byte, string, error) {
			b, err := otlpLogs(service, text, times)
			return b, "application/json", err
		})
	case strings.Contains(target, "://"):
		return nil, fmt.Errorf("log target %q: want stdout, stderr, a file, an http(s):// or an otlp+http(s):// URL", target)
	}
	return openFile(target, o)
}

// writer is standard output or standard error, which nobody here may close.
type writer struct{ w io.Writer }

func (w writer) Write(_ context.Context, text []byte, _ []time.Time) error {
	_, err := w.w.Write(text)
	return err
}

func (w writer) Close() error { return nil }

// file is a log file that is put aside at a size.
type file struct {
	path string
	o    FileOptions
	f    *os.File
	size int64
}

const (
	defaultMaxSize = 100 << 20
	defaultKeep    = 5
	fileMode       = 0o600 // lines may tell of callers
)

func openFile(path string, o FileOptions) (*file, error) {
	if o.MaxSize <= 0 {
		o.MaxSize = defaultMaxSize
	}
	if o.Keep <= 0 {
		o.Keep = defaultKeep
	}
	l := &file{path: path, o: o}
	return l, l.open()
}

func (l *file) open() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, fileMode)
	if err != nil {
		return fmt.Errorf("open the log file: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("open the log file: %w", err), f.Close())
	}
	l.f, l.size = f, info.Size()
	return nil
}

// Write puts the file aside before it would grow past its size, at the end of a line.
func (l *file) Write(_ context.Context, text []byte, _ []time.Time) error {
	for len(text) > 0 {
		if l.size > 0 && l.size+int64(indexBreak(text))+1 > l.o.MaxSize {
			if err := l.rotate(); err != nil {
				return err
			}
		}
		part := text
		if room := l.o.MaxSize - l.size; int64(len(part)) > room {
			part = text[:max(1+indexBreak(text), 1+bytes.LastIndexByte(text[:max(room, 0)], '\n'))]
		}
		n, err := l.f.Write(part)
		l.size += int64(n)
		if err != nil {
			return fmt.Errorf("write the log file: %w", err)
		}
		text = text[len(part):]
	}
	return nil
}

func (l *file) rotate() error {
	err := l.f.Close()
	for n := l.o.Keep; n > 0; n-- {
		from := l.path
		if n > 1 {
			from += "." + strconv.Itoa(n-1)
		}
		if e := os.Rename(from, l.path+"."+strconv.Itoa(n)); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	if err != nil {
		err = fmt.Errorf("put the log file aside: %w", err)
	}
	return errors.Join(err, l.open())
}

func (l *file) Close() error { return l.f.Close() }

// collector takes batches by POST.
type collector struct {
	url    string
	shown  string // the URL without what nobody else may see
	encode func(text []byte, times []time.Time) (body []byte, contentType string, err error)
	client *http.Client
	user   *url.Userinfo
}

func newCollector(target string, encode func([]byte, []time.Time) ([]byte, string, error)) (*collector, error) {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" { // the target itself may hold a password
		return nil, errors.New("the log target is not a URL of a collector, such as http://127.0.0.1:9428/insert")
	}
	c := &collector{encode: encode, user: u.User, client: &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: writeTime},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	u.User = nil
	c.url = u.String()
	u.RawQuery = "" // where tokens are
	c.shown = u.String()
	return c, nil
}

// attempts are how often a batch is sent to a collector that fails, and firstPause how long the first wait between is.
const (
	attempts   = 4
	firstPause = 200 * time.Millisecond
)

// Write sends a batch, and again where the collector cannot take it now.
func (c *collector) Write(ctx context.Context, text []byte, times []time.Time) error {
	body, kind, err := c.encode(text, times)
	if err != nil {
		return err
	}
	pause := firstPause
	for try := 1; ; try++ {
		again, err := c.post(ctx, body, kind)
		if err == nil || !again || try == attempts {
			return err
		}
		select {
		case <-time.After(pause):
			pause *= 2
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		}
	}
}

// post sends a body once; again tells whether another try makes sense.
func (c *collector) post(ctx context.Context, body []byte, kind string) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return false, fmt.Errorf("send log lines: %w", err)
	}
	req.Header.Set("Content-Type", kind)
	if c.user != nil {
		password, _ := c.user.Password()
		req.SetBasicAuth(c.user.Username(), password)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		if named, ok := errors.AsType[*url.Error](err); ok {
			err = named.Err
		}
		return true, fmt.Errorf("send log lines to %s: %w", c.shown, err)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	err = errors.Join(err, resp.Body.Close())
	if resp.StatusCode >= http.StatusMultipleChoices {
		return resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests,
			errors.Join(fmt.Errorf("the log collector answered %s", resp.Status), err)
	}
	return false, nil // it has the lines, whatever became of its answer
}

func (c *collector) Close() error {
	c.client.CloseIdleConnections()
	return nil
}

// otlpPath is where a collector takes logs (OTLP 1.0, "OTLP/HTTP Request").
const otlpPath = "/v1/logs"

// The JSON form of an OTLP ExportLogsServiceRequest, as far as lines need it.
type (
	otlpRequest struct {
		ResourceLogs []otlpResource `json:"resourceLogs"`
	}
	otlpResource struct {
		Resource struct {
			Attributes []otlpAttribute `json:"attributes"`
		} `json:"resource"`
		ScopeLogs []otlpScope `json:"scopeLogs"`
	}
	otlpScope struct {
		Scope struct {
			Name string `json:"name"`
		} `json:"scope"`
		LogRecords []otlpRecord `json:"logRecords"`
	}
	otlpRecord struct {
		TimeUnixNano         string    `json:"timeUnixNano"`
		ObservedTimeUnixNano string    `json:"observedTimeUnixNano"`
		SeverityNumber       int       `json:"severityNumber"`
		Body                 otlpValue `json:"body"`
	}
	otlpAttribute struct {
		Key   string    `json:"key"`
		Value otlpValue `json:"value"`
	}
	otlpValue struct {
		StringValue string `json:"stringValue"`
	}
)

const severityInfo = 9

// otlpLogs makes one log record of each line.
func otlpLogs(service string, text []byte, times []time.Time) ([]byte, error) {
	var r otlpResource
	r.Resource.Attributes = []otlpAttribute{{"service.name", otlpValue{service}}}
	var s otlpScope
	s.Scope.Name = "cleat"
	now := strconv.FormatInt(time.Now().UnixNano(), 10)
	for _, at := range times {
		line, rest, _ := bytes.Cut(text, []byte{'\n'})
		text = rest
		s.LogRecords = append(s.LogRecords, otlpRecord{
			TimeUnixNano: strconv.FormatInt(at.UnixNano(), 10), ObservedTimeUnixNano: now,
			SeverityNumber: severityInfo, Body: otlpValue{strings.ToValidUTF8(string(line), "\uFFFD")},
		})
	}
	r.ScopeLogs = []otlpScope{s}
	return json.Marshal(otlpRequest{[]otlpResource{r}})
}

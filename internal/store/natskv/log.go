package natskv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"cleat/internal/store"
)

const (
	streamName = "STORE"
	subject    = "store.commits"
	// maxRecord leaves room beside MaxBatch for what a record and its message add to each change.
	maxRecord = store.MaxBatch + 40*store.MaxChanges
	// recordOverhead is what a message costs on disk beside its record, about.
	recordOverhead = 100
	startTime      = 10 * time.Second // for the server to be there once it has read the folder
	requestTime    = 10 * time.Second // for answers that need no waiting for a disk
)

// startServer runs the NATS server without a listener and connects to it through memory.
func (d *Driver) startServer(ctx context.Context) error {
	s, err := server.NewServer(&server.Options{
		ServerName: "cleat", DontListen: true, NoSigs: true, MaxPayload: maxRecord, MaxPending: 2 * maxRecord,
		JetStream: true, StoreDir: d.o.Dir, JetStreamMaxMemory: 1 << 20, JetStreamMaxStore: 1 << 40, // the disk is the bound
		SyncAlways: !d.o.NoSync, DisableJetStreamBanner: true,
	})
	if err != nil {
		return err
	}
	s.SetLoggerV2(&logger{d.log, d.fatal, d.faults}, false, false, false)
	d.server = s
	s.Start() // which reads what is in the folder
	select {
	case err := <-d.fatal:
		return err
	default:
	}
	if !s.ReadyForConnections(startTime) {
		return fmt.Errorf("the embedded NATS server was not ready after %s", startTime)
	}
	if d.conn, err = nats.Connect("", nats.InProcessServer(s), nats.MaxReconnects(-1), nats.Timeout(requestTime)); err != nil {
		return fmt.Errorf("connect to the embedded NATS server: %w", err)
	}
	d.js, err = jetstream.New(d.conn, jetstream.WithDefaultTimeout(requestTime))
	return errors.Join(err, context.Cause(ctx))
}

// openStream finds the log, or makes it where there has never been one.
func (d *Driver) openStream(ctx context.Context) error {
	config := jetstream.StreamConfig{
		Name: streamName, Description: "Cleat's store: one message is one commit", Subjects: []string{subject},
		Storage: jetstream.FileStorage, MaxMsgSize: maxRecord,
		AllowDirect: true, // single records are read without the JSON of JetStream's API
	}
	stream, err := d.js.Stream(ctx, streamName)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if d.hadStream() {
			return fmt.Errorf("%w: what describes the log cannot be read", errDamaged)
		}
		stream, err = d.js.CreateStream(ctx, config)
	}
	d.stream = stream
	return err
}

// errDamaged says what to do about a store that lacks something that was acknowledged.
var errDamaged = errors.New("the store is damaged (bring back a backup with: cleat restore)")

// hadStream tells whether there is anything of a log on disk.
func (d *Driver) hadStream() bool {
	blocks, err := os.ReadDir(filepath.Join(d.o.Dir, "jetstream", "$G", "streams", streamName, "msgs"))
	return err == nil && len(blocks) > 0
}

// replay reads the whole log into the table. It fails when a record is missing in its middle.
func (d *Driver) replay(ctx context.Context) error {
	info, err := d.stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	state := &info.State
	d.first, d.last = max(1, state.FirstSeq), state.LastSeq
	switch {
	case state.LastSeq == 0:
		return nil
	case state.Msgs != state.LastSeq-d.first+1:
		return fmt.Errorf("%w: of the records %d to %d only %d can be read", errDamaged, d.first, d.last, state.Msgs)
	}
	consumer, err := d.stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy})
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	messages, err := consumer.Messages(jetstream.PullMaxBytes(2 * maxRecord))
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	defer messages.Stop()
	for next := d.first; next <= d.last; next++ {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("read record %d of the log: %w", next, err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("read record %d of the log: %w", next, err)
		}
		if meta.Sequence.Stream != next {
			return fmt.Errorf("%w: record %d comes after record %d", errDamaged, meta.Sequence.Stream, next-1)
		}
		if err := d.takeIn(next, m.Data()); err != nil {
			return err
		}
	}
	return nil
}

// takeIn puts what a record says into the table.
func (d *Driver) takeIn(sequence uint64, message []byte) error {
	parts, err := decode(message, sequence)
	if err != nil {
		return fmt.Errorf("%w: record %d: %w", errDamaged, sequence, err)
	}
	d.account(len(message), parts)
	entries := make([]store.Entry, 0, len(parts))
	var deleted []string
	for i := range parts {
		p := &parts[i]
		if p.deleted {
			deleted = append(deleted, p.key)
			continue
		}
		entries = append(entries, store.Entry{Key: p.key, Value: p.value, Revision: p.revision})
		if uint64(p.revision) != sequence {
			d.moved[p.key] = sequence
		}
	}
	d.table.Apply(store.Revision(sequence), entries, deleted)
	return nil
}

// write appends a record to the log and returns its sequence once it is on disk. Only one caller writes at a time. An
// error leaves open whether the record will be there; settle finds out. After a fault of the disk the server takes no more:
// so do we.
func (d *Driver) write(ctx context.Context, record []byte) (uint64, error) {
	if d.failed != nil {
		return 0, d.failed
	}
	ack, err := d.append(ctx, record)
	if err != nil {
		d.uncertain = true
		return 0, fmt.Errorf("write to %s: %w", d.o.Dir, err)
	}
	d.last = ack.Sequence
	return ack.Sequence, nil
}

// faultTime is how long an acknowledgement is waited for after the server has complained: it may have been of something
// else.
const faultTime = time.Second

// append publishes a record. The server does not answer when it cannot write; what it logs is all that there is to see then.
func (d *Driver) append(ctx context.Context, record []byte) (*jetstream.PubAck, error) {
	answer, err := d.js.PublishMsgAsync(&nats.Msg{Subject: subject, Data: record}, jetstream.WithExpectLastSequence(d.last), jetstream.WithRetryAttempts(0))
	if err != nil {
		return nil, err
	}
	var fault string
	select {
	case ack := <-answer.Ok():
		return ack, nil
	case err := <-answer.Err():
		return nil, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case fault = <-d.faults:
	}
	patience := time.NewTimer(faultTime)
	defer patience.Stop()
	select {
	case ack := <-answer.Ok():
		return ack, nil
	case err := <-answer.Err():
		return nil, err
	case <-patience.C:
		d.failed = fmt.Errorf("nothing can be written to %s any more (%s): see to the disk, then start the node again", d.o.Dir, fault)
		return nil, errors.New(fault)
	}
}

// settle brings the table up to date after a write whose end nobody heard of.
func (d *Driver) settle(ctx context.Context) error {
	if !d.uncertain {
		return nil
	}
	info, err := d.stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("find out what became of the last commit: %w", err)
	}
	for d.last < info.State.LastSeq {
		m, err := d.stream.GetMsg(ctx, d.last+1)
		if err != nil {
			return fmt.Errorf("find out what became of the last commit: %w", err)
		}
		if err := d.takeIn(m.Sequence, m.Data); err != nil {
			return err
		}
		d.last = m.Sequence
	}
	d.uncertain = false
	return nil
}

// logger passes on what the NATS server has to say. Its notices are details to who runs a node.
type logger struct {
	log   *slog.Logger
	fatal chan<- error
	// faults holds the last error.
	faults chan string
}

func (l *logger) say(level slog.Level, format string, v []any) {
	l.log.Log(context.Background(), level, "store", "nats", fmt.Sprintf(format, v...))
}

func (l *logger) Noticef(format string, v ...any) { l.say(slog.LevelDebug, format, v) }

// Warnf passes on all but what the server says of records as large as ours may be.
func (l *logger) Warnf(format string, v ...any) {
	if !strings.HasPrefix(format, "Maximum payloads over") {
		l.say(slog.LevelWarn, format, v)
	}
}

// Errorf also tells whoever waits for a record to be written.
func (l *logger) Errorf(format string, v ...any) {
	l.say(slog.LevelError, format, v)
	select {
	case <-l.faults:
	default:
	}
	select {
	case l.faults <- fmt.Sprintf(format, v...):
	default: // somebody was quicker
	}
}

func (l *logger) Debugf(format string, v ...any) { l.say(slog.LevelDebug, format, v) }
func (l *logger) Tracef(format string, v ...any) { l.say(slog.LevelDebug, format, v) }

// Fatalf is called instead of ending the process.
func (l *logger) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Errorf(format, v...):
	default: // one reason is enough
	}
}

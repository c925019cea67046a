package natskv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"cleat/internal/filelock"
	"cleat/internal/store"
)

// LockFile is the file in the folder that is locked (filelock) while the store is open.
const LockFile = "lock"

// Options say where a store is kept.
type Options struct {
	// Dir is the folder, which is made if it is absent. Nothing else may be in it.
	Dir string
	Log *slog.Logger // nil: nothing is logged
	// NoSync leaves it to the operating system when a commit reaches the disk: for tests that kill no machine.
	NoSync bool
	// Garbage is how many bytes of what has been overwritten the log may hold, beyond as much as is valid. Zero: 32 MB.
	Garbage int64
}

const defaultGarbage = 32 << 20

// Driver is a store.Driver over a folder. Close ends it.
type Driver struct {
	o     Options
	log   *slog.Logger
	table store.Table

	lock   *os.File
	server *server.Server
	fatal  chan error  // holds what the server could not start for; never closed
	faults chan string // holds what the server last complained of; never closed
	conn   *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream

	// committing holds one token while somebody commits, who then owns the fields up to the next blank line.
	committing chan struct{}
	last       uint64 // sequence of the log's last record
	uncertain  bool   // a record may have been written that nobody acknowledged
	failed     error  // why nothing can be written any more; nil while it can
	logged     int64  // bytes of all records
	valid      int64  // bytes of the entries that count
	// moved are the sequences of the records that hold entries which the cleaner has copied. An entry that is not in it
	// is in the record of its revision.
	moved map[string]uint64

	first    uint64 // sequence of the log's first record; the cleaner's
	dirty    chan struct{}
	stop     context.CancelFunc
	cleaning sync.WaitGroup
	closed   chan struct{} // closed by Close
	closing  sync.Once
	closeErr error
}

var _ store.Driver = (*Driver)(nil)

// errClosed is what a closed driver answers.
var errClosed = errors.New("the store is closed")

// Open opens the store in a folder, and makes an empty one where there is none. It fails when another process has the
// folder, and when something is missing from it: nothing is changed then. ctx bounds the opening only.
func Open(ctx context.Context, o Options) (*Driver, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Garbage == 0 {
		o.Garbage = defaultGarbage
	}
	d := &Driver{
		o: o, log: o.Log, fatal: make(chan error, 1), faults: make(chan string, 1), committing: make(chan struct{}, 1), moved: map[string]uint64{},
		dirty: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	if err := d.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open the store in %s: %w", o.Dir, err), d.shutdown())
	}
	cleanCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.stop = stop
	d.cleaning.Go(func() { d.clean(cleanCtx) })
	return d, nil
}

func (d *Driver) open(ctx context.Context) error {
	if err := os.MkdirAll(d.o.Dir, 0o700); err != nil {
		return err
	}
	if err := d.takeLock(); err != nil {
		return err
	}
	if err := d.startServer(ctx); err != nil {
		return err
	}
	if err := d.openStream(ctx); err != nil {
		return err
	}
	return d.replay(ctx)
}

func (d *Driver) takeLock() error {
	f, err := os.OpenFile(filepath.Join(d.o.Dir, LockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	d.lock = f
	ok, err := filelock.Try(f)
	if err == nil && !ok {
		err = errors.New("another process has it open: a data directory serves one node at a time")
	}
	return err
}

// Close ends the driver, and every Watch with an error. It waits until all is over, and may be called more than once.
func (d *Driver) Close() error {
	d.closing.Do(func() {
		close(d.closed)
		d.stop()
		d.cleaning.Wait()
		d.committing <- struct{}{} // whoever commits is done; the token is never given back
		d.table.Lose(errClosed)
		d.closeErr = d.shutdown()
	})
	return d.closeErr
}

func (d *Driver) shutdown() error {
	if d.conn != nil {
		d.conn.Close()
	}
	if d.server != nil {
		d.server.Shutdown()
		d.server.WaitForShutdown()
	}
	if d.lock != nil {
		return d.lock.Close() // which releases it
	}
	return nil
}

// Get returns the entry of a key.
func (d *Driver) Get(ctx context.Context, key string) (store.Entry, error) {
	return d.table.Get(ctx, key)
}

// List returns the entries under a prefix, ordered by key.
func (d *Driver) List(ctx context.Context, prefix string) ([]store.Entry, store.Revision, error) {
	return d.table.List(ctx, prefix)
}

// Members returns the entries right under a prefix, ordered by key.
func (d *Driver) Members(ctx context.Context, prefix string) ([]store.Entry, store.Revision, error) {
	return d.table.Members(ctx, prefix)
}

// Since returns what changed since a revision.
func (d *Driver) Since(ctx context.Context, r store.Revision) (store.Delta, error) {
	return d.table.Since(ctx, r)
}

// Watch calls changed at the start and after changes under the prefix, until ctx ends.
func (d *Driver) Watch(ctx context.Context, prefix string, changed func(store.Revision)) error {
	return d.table.Watch(ctx, prefix, changed)
}

// commitTime bounds the writing of one record. A disk that takes longer is as good as broken.
const commitTime = 20 * time.Second

// Commit makes all the changes or none. What it has begun to write it finishes, also when ctx ends meanwhile. After an
// error of the disk it is open which of the two it was; readers see none of it until a later Commit has found out.
func (d *Driver) Commit(ctx context.Context, changes []store.Change) (store.Revision, error) {
	if err := context.Cause(ctx); err != nil {
		return 0, fmt.Errorf("commit: %w", err)
	}
	if err := store.CheckChanges(changes); err != nil {
		return 0, fmt.Errorf("commit: %w", err)
	}
	if err := d.acquire(ctx); err != nil {
		return 0, fmt.Errorf("commit: %w", err)
	}
	defer d.release()
	write, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTime)
	defer cancel()
	r, err := d.commit(write, changes)
	if err != nil {
		return 0, fmt.Errorf("commit: %w", err)
	}
	return r, nil
}

// acquire makes the caller the one who commits.
func (d *Driver) acquire(ctx context.Context) error {
	select {
	case d.committing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-d.closed:
		return errClosed
	}
}

func (d *Driver) release() { <-d.committing }

func (d *Driver) commit(ctx context.Context, changes []store.Change) (store.Revision, error) {
	if err := d.settle(ctx); err != nil {
		return 0, err
	}
	if err := d.table.Check(changes); err != nil {
		return 0, err
	}
	if len(changes) == 0 {
		return d.table.Revision(), nil
	}
	parts := make([]part, len(changes))
	for i := range changes {
		parts[i] = part{key: changes[i].Key, value: changes[i].Value, deleted: changes[i].Delete}
	}
	record := encode(parts)
	sequence, err := d.write(ctx, record)
	if err != nil {
		return 0, err
	}
	d.account(len(record), parts)
	r := store.Revision(sequence)
	entries, deleted := store.Split(r, changes)
	d.table.Apply(r, entries, deleted)
	return r, nil
}

// account takes in what a record of that many bytes changes in the log, before the table has it.
func (d *Driver) account(size int, parts []part) {
	d.logged += recordOverhead + int64(size)
	for i := range parts {
		p := &parts[i]
		delete(d.moved, p.key)
		if e, ok := d.table.Lookup(p.key); ok {
			d.valid -= int64(len(e.Key)+len(e.Value)) + partOverhead
		}
		if !p.deleted {
			d.valid += int64(p.size())
		}
	}
	d.wakeCleaner()
}

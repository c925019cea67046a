package natskv

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// The log grows with every commit. The cleaner keeps it within twice of what is valid, and Options.Garbage more: it goes
// through the records from the first on, copies those of their entries that still count to the end of the log, and then
// deletes the records. At every moment the log holds all that counts, so it does not matter when the process ends. A
// deletion is not copied: there is no older record any more that could hold what it deletes.

// copyAtMost bounds the bytes that are copied while nobody can commit.
const copyAtMost = 256 << 10

// deleteAt is how many bytes of records are gone through before they are deleted.
const deleteAt = 16 << 20

// readAtMost bounds how many records are read at a time.
const readAtMost = 1000

func (d *Driver) wasteful() bool { return d.logged > 2*d.valid+d.o.Garbage }

func (d *Driver) wakeCleaner() {
	if !d.wasteful() {
		return
	}
	select {
	case d.dirty <- struct{}{}:
	default: // it is awake
	}
}

// clean is the cleaner's goroutine.
func (d *Driver) clean(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.dirty:
		}
		if err := d.cleanUp(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("the store could not be cleaned; it is tried again later", "err", err)
		}
	}
}

// cleanUp goes through the records that there are now until what they waste is down to half of what it may be. Those that
// come meanwhile are left to the next time, lest they be as many as it goes through.
func (d *Driver) cleanUp(ctx context.Context) error {
	if err := d.acquire(ctx); err != nil {
		return err
	}
	last := d.last
	d.release()
	next, freed := d.first, int64(0)
	for enough := false; !enough && next <= last && freed < deleteAt; {
		parts, to, size, err := d.readParts(ctx, next, last)
		if err != nil {
			return err
		}
		freed += size
		if enough, err = d.copyForward(ctx, parts, next, to, freed); err != nil {
			return err
		}
		next = to
	}
	if err := d.stream.Purge(ctx, jetstream.WithPurgeSequence(next)); err != nil {
		return fmt.Errorf("delete the records before %d: %w", next, err)
	}
	if err := d.acquire(ctx); err != nil {
		return err
	}
	defer d.release()
	d.logged -= freed
	d.first = next
	d.wakeCleaner()
	return nil
}

// readParts returns the parts of some records from one on, the sequence of the record after them, and how many bytes
// they take in the log.
func (d *Driver) readParts(ctx context.Context, from, last uint64) (parts []part, to uint64, size int64, err error) {
	for to = from; to <= last && size < copyAtMost && to-from < readAtMost; to++ {
		m, err := d.stream.GetMsg(ctx, to)
		if err != nil {
			return nil, 0, 0, fmt.Errorf("read record %d: %w", to, err)
		}
		decoded, err := decode(m.Data, to)
		if err != nil {
			return nil, 0, 0, fmt.Errorf("record %d: %w", to, err)
		}
		parts = append(parts, decoded...)
		size += recordOverhead + int64(len(m.Data))
	}
	return parts, to, size, nil
}

// copyForward appends those of the parts of the records from the one up to the other that still count, and reports
// whether enough has been freed then.
func (d *Driver) copyForward(ctx context.Context, parts []part, from, to uint64, freed int64) (enough bool, err error) {
	if err := d.acquire(ctx); err != nil {
		return false, err
	}
	defer d.release()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTime)
	defer cancel()
	if err := d.settle(ctx); err != nil {
		return false, err
	}
	var valid []part
	for _, p := range parts {
		if p.deleted {
			continue
		}
		e, ok := d.table.Lookup(p.key)
		if !ok || e.Revision != p.revision {
			continue
		}
		at, moved := d.moved[p.key]
		if !moved {
			at = uint64(e.Revision)
		}
		if at >= from && at < to {
			valid = append(valid, p)
		}
	}
	if len(valid) > 0 {
		record := encode(valid)
		sequence, err := d.write(ctx, record)
		if err != nil {
			return false, err
		}
		d.logged += recordOverhead + int64(len(record))
		for i := range valid {
			d.moved[valid[i].key] = sequence
		}
	}
	return d.logged-freed <= 3*d.valid/2+d.o.Garbage/2, nil
}

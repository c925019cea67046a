package usageplan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// SaveInterval is how often what was counted is saved, and so the most that is forgotten when the process is killed.
const SaveInterval = 2 * time.Second

// Keeper keeps what the keys of an index have used in a folder: a file for each day that there was any use on, named by
// it and replaced as a whole. Files of days beyond History are deleted. Its methods are safe for concurrent use.
//
// A file is JSON, with what was counted by plan and by key:
//
//	{"a1b2c3": {"k1l2m3": {"used": 12, "granted": 5}}}
type Keeper struct {
	dir    string
	ledger *ledger
	log    *slog.Logger

	mu      sync.Mutex
	pending Day // the first day that has changed and is not saved, zero when there is none
	swept   Day // the day of the last look for files that are too old
}

// savedUse is a dayUse in a file.
type savedUse struct {
	Used    int64 `json:"used"`
	Granted int64 `json:"granted,omitempty"`
}

const (
	dayFormat  = "2006-01-02"
	fileSuffix = ".json"
	tempSuffix = ".tmp"
)

// NewKeeper makes the folder if there is none and reads into the index, which has counted nothing yet, what the folder
// holds. An error names the file.
func NewKeeper(dir string, x *Index, log *slog.Logger) (*Keeper, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for the usage of API keys: %w", err)
	}
	k := &Keeper{dir: dir, ledger: &x.ledger, log: log}
	files, err := k.files()
	if err != nil {
		return nil, err
	}
	today := DayOf(time.Now())
	for _, f := range files {
		switch {
		case f.day > today+1: // time zones are none of it, so the clock has been wrong
			log.Warn("the usage of API keys on a day to come is passed over", "file", f.path)
		case f.day > today-History:
			if err := k.read(f); err != nil {
				return nil, fmt.Errorf("read the usage of API keys: %w: move %s out of the way to count that day anew", err, f.path)
			}
		}
	}
	return k, nil
}

// file is a file of the folder.
type file struct {
	path string
	day  Day
}

// files returns the files of days, in their order.
func (k *Keeper) files() ([]file, error) {
	entries, err := os.ReadDir(k.dir)
	if err != nil {
		return nil, fmt.Errorf("read the folder for the usage of API keys: %w", err)
	}
	var out []file
	for _, e := range entries { // which are ordered by name, and so by day
		name, ok := strings.CutSuffix(e.Name(), fileSuffix)
		if t, err := time.Parse(dayFormat, name); ok && err == nil {
			out = append(out, file{filepath.Join(k.dir, e.Name()), DayOf(t)})
		}
	}
	return out, nil
}

func (k *Keeper) read(f file) error {
	text, err := os.ReadFile(f.path)
	if err != nil {
		return err
	}
	var plans map[string]map[string]savedUse
	if err := json.Unmarshal(text, &plans); err != nil {
		return err
	}
	for plan, keys := range plans {
		for key, u := range keys {
			k.ledger.of(member{plan, key}).restore(dayUse{f.day, u.Used, u.Granted})
		}
	}
	return nil
}

// Run saves what was counted each SaveInterval until ctx ends, and then for the last time. End ctx only when nothing
// counts any more. Its error is that of the last time; those before are logged, and made good by the next one.
func (k *Keeper) Run(ctx context.Context) error {
	ticker := time.NewTicker(SaveInterval)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return k.Save()
		case <-ticker.C:
		}
		err := k.Save()
		if err != nil && !failing {
			k.log.Error("what API keys have used could not be saved: quotas begin anew if the node ends now", "err", err)
		}
		failing = err != nil
	}
}

// Save writes what has changed since the last time. When it returns nil, it is on the disk.
func (k *Keeper) Save() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	accounts := k.ledger.all()
	for _, a := range accounts {
		if d := a.changed(); d != 0 && (k.pending == 0 || d < k.pending) {
			k.pending = d
		}
	}
	if k.pending == 0 {
		return nil
	}
	days := map[Day]map[string]map[string]savedUse{}
	for m, a := range accounts {
		for _, u := range a.since(k.pending) {
			plans := days[u.day]
			if plans == nil {
				plans = map[string]map[string]savedUse{}
				days[u.day] = plans
			}
			if plans[m.plan] == nil {
				plans[m.plan] = map[string]savedUse{}
			}
			plans[m.plan][m.key] = savedUse{u.used, u.granted}
		}
	}
	var last Day
	for d, plans := range days {
		if err := k.write(d, plans); err != nil {
			return fmt.Errorf("save the usage of API keys: %w", err)
		}
		last = max(last, d)
	}
	if err := syncDir(k.dir); err != nil {
		return fmt.Errorf("save the usage of API keys: %w", err)
	}
	k.pending = 0
	return k.sweep(last)
}

// write replaces the file of a day.
func (k *Keeper) write(d Day, plans map[string]map[string]savedUse) error {
	text, err := json.Marshal(plans)
	if err != nil {
		return err
	}
	path := filepath.Join(k.dir, d.Time().Format(dayFormat)+fileSuffix)
	f, err := os.OpenFile(path+tempSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // G304: in the folder of the node's own data
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(path+tempSuffix, path)
}

// syncDir makes the renaming of files in a folder outlive a loss of power. Windows has no such thing.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir) //nolint:gosec // G304: as above
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// sweep deletes, once a day, the files that nobody will ask for any more.
func (k *Keeper) sweep(today Day) error {
	if k.swept == today {
		return nil
	}
	k.swept = today
	files, err := k.files()
	if err != nil {
		return err
	}
	files = slices.DeleteFunc(files, func(f file) bool { return f.day > today-History })
	for _, f := range files {
		if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("delete the usage of API keys long ago: %w", err)
		}
	}
	return nil
}

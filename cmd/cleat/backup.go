package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"

	"cleat/internal/awsclient"
	"cleat/internal/datadir"
)

// backupCommand takes a backup of a running node.
type backupCommand struct {
	Endpoint string `default:"http://127.0.0.1:3002" help:"Admin listener of the node (${default})." placeholder:"URL"`
	Region   string `help:"Region to sign for (AWS_REGION, else us-east-1)." placeholder:"REGION"`
	Output   string `short:"o" required:"" help:"File to write, which must not be there yet; - is standard output." placeholder:"FILE"`
}

// Run writes the archive to a file beside the one that is asked for, which gets its name once it is whole.
func (c *backupCommand) Run(p *process) (err error) {
	sources := awsclient.Sources{Env: p.env}
	client, err := awsclient.New(awsclient.Options{
		Endpoint: c.Endpoint, Service: "cleat", Region: cmp.Or(c.Region, sources.Region(p.ctx)), Credentials: sources.Credentials(), OnDemand: true,
	})
	if err != nil {
		return fmt.Errorf("--endpoint: %w", err)
	}
	defer client.Close()
	if c.Output != "-" {
		if _, err := os.Lstat(c.Output); err == nil {
			return fmt.Errorf("%s is there already; backups are not overwritten", c.Output)
		}
	}
	archive, err := client.Follow(p.ctx, awsclient.Request{Method: http.MethodGet, Path: "/_cleat/backup"})
	if err != nil {
		return inPlainWords(err)
	}
	defer func() { _ = archive.Close() }() // it was only read
	if c.Output == "-" {
		_, err := datadir.CheckBackup(p.ctx, io.TeeReader(archive, p.stdout))
		return err
	}
	return c.save(p, archive)
}

// save writes the archive to the file. It is checked on the way.
func (c *backupCommand) save(p *process, archive io.Reader) (err error) {
	f, err := os.CreateTemp(filepath.Dir(c.Output), filepath.Base(c.Output)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	m, err := datadir.CheckBackup(p.ctx, io.TeeReader(archive, f))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), c.Output); err != nil { // which fails where there is a file meanwhile
		if err := os.Rename(f.Name(), c.Output); err != nil {
			return err
		}
	} else if err := os.Remove(f.Name()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s: %d entries, %d files\nThe sealing key (seal.key of the data directory) is not in it: keep a copy elsewhere.\n", c.Output, m.Entries, len(m.Members)-1)
	return err
}

// restoreCommand makes a data directory of a backup.
type restoreCommand struct {
	File  string `arg:"" help:"Backup to restore." placeholder:"FILE" type:"existingfile"`
	Data  string `required:"" help:"Data directory, of a node that does not run." placeholder:"DIR" type:"path"`
	Force bool   `help:"Take a directory that is in use: what is in it is put aside."`
}

// Run restores and says what is where.
func (c *restoreCommand) Run(p *process) error {
	done, err := datadir.Restore(p.ctx, datadir.RestoreOptions{
		Archive: c.File, DataDir: c.Data, Force: c.Force, Log: slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	m := &done.Manifest
	_, _ = fmt.Fprintf(p.stdout, "%s: %d entries and %d files of %s\n", c.Data, m.Entries, len(m.Members)-1, m.Created.Format("2006-01-02 15:04:05 UTC"))
	if done.Aside != "" {
		_, _ = fmt.Fprintf(p.stdout, "what was there before is in %s\n", done.Aside)
	}
	if !done.SealKey {
		_, _ = fmt.Fprintf(p.stdout, "there is no seal.key in it: unless the sealing key is kept elsewhere, bring that of the node that was backed up, or its access keys cannot be used\n")
	}
	return nil
}

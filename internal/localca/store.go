package localca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"cleat/internal/filelock"
)

// Blocks of the key file.
const (
	blockKey  = "PRIVATE KEY" // PKCS #8
	blockCert = "CERTIFICATE"
)

// maxFile bounds what is read of a file; ours have less than 2 KB.
const maxFile = 64 << 10

// lockTimeout bounds the wait for another process that is making the authority, which takes milliseconds.
const lockTimeout = 10 * time.Second

const (
	dirMode  = 0o700
	fileMode = 0o600
	// others are the permissions of everybody but the owner, othersWrite those to change something.
	others      = 0o077
	othersWrite = 0o022
)

// loaded is an authority as it lies in its directory.
type loaded struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	// replaced says what was wrong with the authority that this one has replaced; empty when there was none.
	replaced string
}

// load reads the authority in dir, or makes it.
func load(dir string) (l loaded, err error) {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return loaded{}, fmt.Errorf("make the directory of the local authority: %w", err)
	}
	unlock, err := lock(filepath.Join(dir, lockFile), lockTimeout)
	if err != nil {
		return loaded{}, fmt.Errorf("lock the local authority in %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, unlock()) }()

	exposed, err := secureDir(dir)
	if err != nil {
		return loaded{}, err
	}
	now := time.Now()
	l, fault, err := read(filepath.Join(dir, keyFile), now)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// The first start.
	case err != nil:
		return loaded{}, err
	case fault == "" && exposed:
		fault = "others could write to its directory"
	}
	if err != nil || fault != "" {
		if l, err = create(dir, now); err != nil {
			return loaded{}, err
		}
		l.replaced = fault
	}
	// The certificate's own file follows from the key file. A process that ended between the two writes is made up for.
	certPEM := pem.EncodeToMemory(&pem.Block{Type: blockCert, Bytes: l.cert.Raw})
	path := filepath.Join(dir, certFile)
	have, err := os.ReadFile(path) //nolint:gosec // G304: a fixed name in the user's own directory
	if err == nil && bytes.Equal(have, certPEM) {
		return l, nil
	}
	return l, write(path, certPEM)
}

// secureDir closes the directory to others. It tells whether others could have changed what is in it.
func secureDir(dir string) (exposed bool, err error) {
	info, err := os.Stat(dir)
	if err != nil {
		return false, fmt.Errorf("look at the directory of the local authority: %w", err)
	}
	if runtime.GOOS == "windows" || info.Mode().Perm()&others == 0 {
		return false, nil // Windows has no such bits: a user's own directories are closed to others
	}
	if err := os.Chmod(dir, dirMode); err != nil {
		return false, fmt.Errorf("close the directory of the local authority to others: %w", err)
	}
	return info.Mode().Perm()&othersWrite != 0, nil
}

// read reads a key file. fault says why what it holds must not be used; then, as after an error, there is no authority.
func read(path string, now time.Time) (l loaded, fault string, err error) {
	f, err := os.Open(path) //nolint:gosec // G304: a fixed name in the user's own directory
	if err != nil {
		return loaded{}, "", fmt.Errorf("open the local authority: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	info, statErr := f.Stat()
	if err := errors.Join(err, statErr, f.Close()); err != nil {
		return loaded{}, "", fmt.Errorf("read the local authority: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&others != 0 {
		return loaded{}, "others could read its key", nil
	}
	l, err = parse(data)
	if err != nil {
		return loaded{}, "it is damaged: " + err.Error(), nil //nolint:nilerr // damage is a fault that is mended, and reported
	}
	if now.Before(l.cert.NotBefore) || now.Add(authorityRest).After(l.cert.NotAfter) {
		return loaded{}, "its certificate is not valid yet, has expired or is about to", nil
	}
	return l, "", nil
}

// parse reads the contents of a key file: a P-256 key and the certificate of an authority that belongs to it.
func parse(data []byte) (loaded, error) {
	keyBlock, rest := pem.Decode(data)
	certBlock, _ := pem.Decode(rest)
	if keyBlock == nil || certBlock == nil || keyBlock.Type != blockKey || certBlock.Type != blockCert {
		return loaded{}, errors.New("it does not hold a private key and a certificate")
	}
	anyKey, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		return loaded{}, fmt.Errorf("its key: %w", err)
	}
	key, ok := anyKey.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return loaded{}, errors.New("its key is not of the kind made here")
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return loaded{}, fmt.Errorf("its certificate: %w", err)
	}
	if !cert.IsCA || !key.PublicKey.Equal(cert.PublicKey) {
		return loaded{}, errors.New("its certificate is not an authority's or belongs to another key")
	}
	return loaded{cert: cert, key: key}, nil
}

// create makes a new authority and writes its key file.
func create(dir string, now time.Time) (loaded, error) {
	cert, key, err := newAuthority(now)
	if err != nil {
		return loaded{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return loaded{}, fmt.Errorf("encode the authority's key: %w", err)
	}
	var data bytes.Buffer
	for _, b := range []*pem.Block{{Type: blockKey, Bytes: der}, {Type: blockCert, Bytes: cert.Raw}} {
		if err := pem.Encode(&data, b); err != nil {
			return loaded{}, fmt.Errorf("encode the authority: %w", err)
		}
	}
	if err := write(filepath.Join(dir, keyFile), data.Bytes()); err != nil {
		return loaded{}, err
	}
	return loaded{cert: cert, key: key}, nil
}

// write puts a file in place at once: a reader sees the old one or the whole new one, and nobody but its owner sees
// either. Its caller holds the lock.
func write(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp") // made with mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(f.Name())))
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// pollLock is how often a lock that is held is tried again.
const pollLock = 10 * time.Millisecond

// lock takes an exclusive lock on a file, which it makes, and returns how to release it. The system releases it when
// the process ends, however it ends.
func lock(path string, timeout time.Duration) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, fileMode) //nolint:gosec // G304: a fixed name in the user's own directory
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(timeout); ; time.Sleep(pollLock) {
		held, err := filelock.Try(f)
		if err == nil && held {
			return f.Close, nil // closing releases
		}
		if err == nil && time.Now().After(deadline) {
			err = fmt.Errorf("another process has held it for %s", timeout)
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
}

package identity

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// SealKey seals the secrets of access keys: AES-256-GCM with a random nonce, bound to the access key's ID, so that no
// sealed secret can be put in another's place. The zero SealKey seals nothing and opens nothing. It is safe for
// concurrent use. Its text shows nothing.
type SealKey struct{ aead cipher.AEAD }

const (
	sealKeySize = 32
	// sealKeyPrefix tells what a file or variable holds, and in which form.
	sealKeyPrefix = "cleat-seal-1:"
	// sealKeyLimit bounds what is read of a file that should be a sealing key.
	sealKeyLimit = 1 << 10
)

// NewSealKey returns a fresh key that is kept nowhere, and its text for ParseSealKey.
func NewSealKey() (SealKey, string) {
	raw := make([]byte, sealKeySize)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the process first
	text := sealKeyPrefix + base64.StdEncoding.EncodeToString(raw)
	key, err := ParseSealKey(text)
	if err != nil {
		panic(err) // not reached: it was just made
	}
	return key, text
}

// ParseSealKey reads a key from its text, "cleat-seal-1:" and 32 bytes in base64; blanks around it do not count. The error
// shows nothing of the text.
func ParseSealKey(text string) (SealKey, error) {
	encoded, ok := strings.CutPrefix(strings.TrimSpace(text), sealKeyPrefix)
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(raw) != sealKeySize {
		return SealKey{}, errors.New("it is no sealing key: want " + sealKeyPrefix + " and 32 bytes in base64, on one line")
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return SealKey{}, fmt.Errorf("make the sealing cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return SealKey{}, fmt.Errorf("make the sealing cipher: %w", err)
	}
	return SealKey{aead}, nil
}

// ReadSealKey reads a key from a file. A file that is not there is fs.ErrNotExist.
func ReadSealKey(path string) (SealKey, error) {
	f, err := os.Open(path) //nolint:gosec // G304: the file that the user names
	if err != nil {
		return SealKey{}, fmt.Errorf("read the sealing key: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, sealKeyLimit))
	if err = errors.Join(err, f.Close()); err != nil {
		return SealKey{}, fmt.Errorf("read the sealing key: %w", err)
	}
	key, err := ParseSealKey(string(text))
	if err != nil {
		return SealKey{}, fmt.Errorf("sealing key %s: %w", path, err)
	}
	return key, nil
}

// MakeSealKey makes a key and keeps it in a new file that the owner alone may read. The file is there, whole and on disk, when
// it returns without an error. It fails with fs.ErrExist where there is one already. Two processes must not call it for one
// file at once.
func MakeSealKey(path string) (_ SealKey, err error) {
	key, text := NewSealKey()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return SealKey{}, fmt.Errorf("make the sealing key %s: %w", path, errors.Join(fs.ErrExist, err))
	}
	// Written beside and moved into place: a crash leaves no half key.
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new") // 0600
	if err != nil {
		return SealKey{}, fmt.Errorf("make the sealing key: %w", err)
	}
	defer func() { err = errors.Join(err, ignoreMissing(os.Remove(f.Name()))) }()
	_, err = f.WriteString(text + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return SealKey{}, fmt.Errorf("make the sealing key: %w", err)
	}
	return key, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// syncFolder makes a new name in a folder outlive a power failure. Where folders cannot be synced, as on Windows, it is the
// file system's business.
func syncFolder(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // G304: the folder of the key
	if err != nil {
		return err
	}
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrInvalid) {
		return errors.Join(err, d.Close())
	}
	return d.Close()
}

// IsZero tells of a key that seals nothing.
func (k SealKey) IsZero() bool { return k.aead == nil }

// seal seals a secret for the access key whose it is.
func (k SealKey) seal(accessKeyID, secret string) []byte {
	return k.aead.Seal(nil, nil, []byte(secret), []byte(accessKeyID)) //nolint:gosec // G407: the cipher makes a random nonce of its own
}

// open opens a sealed secret.
func (k SealKey) open(accessKeyID string, sealed []byte) (string, error) {
	if k.aead == nil {
		return "", errors.New("there is no sealing key")
	}
	secret, err := k.aead.Open(nil, nil, sealed, []byte(accessKeyID))
	if err != nil {
		return "", fmt.Errorf("the sealing key does not open the secret of access key %s: it is another than the one that sealed it", accessKeyID)
	}
	return string(secret), nil
}

// String hides the key.
func (k SealKey) String() string { return "sealing key" }

// GoString hides the key from %#v too.
func (k SealKey) GoString() string { return k.String() }

package conn

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"

	"cleat/internal/apigw"
)

// A connection ID is 11 bytes in URL-safe base64 with its padding, 16 characters, as on AWS (spec data-plane §3):
//
//	bits   20           22     12           34
//	     +------------+------+------------+----------------------------+
//	     | incarnation| slot | generation | secret                     |
//	     +------------+------+------------+----------------------------+
//
// The incarnation names one life of one node, so that any node knows from an ID alone who owns the connection. Slot and
// generation find the connection there; a slot's next tenant has the next generation. The secret is random for each
// connection and cannot be guessed; it is kept with the connection and compared, so no key has to be shared or kept.
// The first three fields are XORed with a hash of the secret: not for secrecy, anybody can undo it, but so that IDs look
// alike to nobody and invite no arithmetic.
const (
	incarnationBits = 20
	slotBits        = 22
	generationBits  = 12
	secretBits      = 34

	idBytes = 11
	idChars = 16

	// MaxIncarnation is the largest incarnation an ID can carry.
	MaxIncarnation = 1<<incarnationBits - 1
	// MaxConnections is the most connections that one Hub can hold.
	MaxConnections = 1 << slotBits
)

// idEncoding refuses IDs whose unused last bits are set: they would be second names of the same connection.
var idEncoding = base64.URLEncoding.Strict()

// identity is what an ID says.
type identity struct {
	incarnation uint32
	slot        uint32
	key         uint64 // generation and secret: what the slot's tenant must match
}

func newKey(generation uint32) uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails (its documentation)
	secret := binary.LittleEndian.Uint64(b[:]) & (1<<secretBits - 1)
	return uint64(generation)&(1<<generationBits-1)<<secretBits | secret
}

// newID makes the ID of a slot's next tenant, and the key in it. None begins with a hyphen: command lines, the AWS CLI's
// among them, would take such an ID for an option.
func newID(incarnation, slot, generation uint32) (key uint64, id apigw.ConnectionID) {
	for {
		key = newKey(generation)
		id = identity{incarnation, slot, key}.id()
		if id[0] != '-' {
			return key, id
		}
	}
}

// scatter spreads the secret's bits over the 54 bits that stand before it (the finaliser of SplitMix64).
func scatter(secret uint64) uint64 {
	z := secret + 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return (z ^ z>>31) >> (64 - incarnationBits - slotBits - generationBits)
}

func (i identity) id() apigw.ConnectionID {
	secret := i.key & (1<<secretBits - 1)
	front := uint64(i.incarnation)<<(slotBits+generationBits) | uint64(i.slot)<<generationBits | i.key>>secretBits
	front ^= scatter(secret)
	// 54 bits of front, then 34 of secret: 64 bits and 24.
	var b [idBytes]byte
	binary.BigEndian.PutUint64(b[:8], front<<10|secret>>24)
	b[8], b[9], b[10] = byte(secret>>16), byte(secret>>8), byte(secret) //nolint:gosec // G115: the low bytes
	return apigw.ConnectionID(idEncoding.EncodeToString(b[:]))
}

func parseID(id apigw.ConnectionID) (identity, bool) {
	if len(id) != idChars || id[idChars-1] != '=' {
		return identity{}, false
	}
	var raw [idChars]byte
	copy(raw[:], id)
	var b [idBytes + 1]byte
	if n, err := idEncoding.Decode(b[:], raw[:]); err != nil || n != idBytes {
		return identity{}, false
	}
	high := binary.BigEndian.Uint64(b[:8])
	secret := high<<24&(1<<secretBits-1) | uint64(b[8])<<16 | uint64(b[9])<<8 | uint64(b[10])
	front := high>>10 ^ scatter(secret)
	return identity{
		incarnation: uint32(front >> (slotBits + generationBits)),
		slot:        uint32(front>>generationBits) & (1<<slotBits - 1), //nolint:gosec // G115: masked
		key:         front&(1<<generationBits-1)<<secretBits | secret,
	}, true
}

// ParseID returns the incarnation of the node that gave out an ID. It answers an *apigw.Error of KindBadRequest, with
// the message of spec management-api §4, for text that no node can have given out; whether the connection exists is
// for its owner to say.
func ParseID(id string) (incarnation uint32, err error) {
	i, ok := parseID(apigw.ConnectionID(id))
	if !ok {
		return 0, &apigw.Error{Kind: apigw.KindBadRequest, Message: "Invalid connectionId: " + id}
	}
	return i.incarnation, nil
}

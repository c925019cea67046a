package frame

import "encoding/binary"

// unmask writes src, a part of a payload that starts at byte pos of its frame, to dst without its mask. dst must be at
// least as long as src; both may be the same bytes. Eight bytes go at a time.
func unmask(dst, src []byte, mask [4]byte, pos int) {
	dst = dst[:len(src)]
	var key [8]byte
	for i := range key {
		key[i] = mask[(pos+i)&3]
	}
	k := binary.LittleEndian.Uint64(key[:])
	for len(src) >= 32 {
		d, s := dst[:32:32], src[:32:32]
		binary.LittleEndian.PutUint64(d[0:8], binary.LittleEndian.Uint64(s[0:8])^k)
		binary.LittleEndian.PutUint64(d[8:16], binary.LittleEndian.Uint64(s[8:16])^k)
		binary.LittleEndian.PutUint64(d[16:24], binary.LittleEndian.Uint64(s[16:24])^k)
		binary.LittleEndian.PutUint64(d[24:32], binary.LittleEndian.Uint64(s[24:32])^k)
		dst, src = dst[32:], src[32:]
	}
	for len(src) >= 8 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(src)^k)
		dst, src = dst[8:], src[8:]
	}
	for i := range src {
		dst[i] = src[i] ^ key[i&7]
	}
}

package store

import "strings"

// pieceSize bounds, in bytes, the pieces of memory that the keys and the values of a commit are kept in. A piece lives as
// long as anything in it, so it is small; a collector that finds one piece in the place of twenty values has that much
// less to do. What is larger has a piece to itself.
const pieceSize = 4 << 10

// inPieces calls each for the pieces that n things of the given sizes come to: those from one up to another, with the
// bytes of all of them.
func inPieces(n int, size func(i int) int, each func(from, to, bytes int)) {
	for from := 0; from < n; {
		to, bytes := from+1, size(from)
		for to < n && bytes+size(to) <= pieceSize {
			bytes += size(to)
			to++
		}
		each(from, to, bytes)
		from = to
	}
}

// copyKeys returns the entries' keys in memory of their own.
func copyKeys(entries []Entry) []string {
	keys := make([]string, len(entries))
	inPieces(len(entries), func(i int) int { return len(entries[i].Key) }, func(from, to, bytes int) {
		var b strings.Builder
		b.Grow(bytes)
		for i := from; i < to; i++ {
			b.WriteString(entries[i].Key)
		}
		piece := b.String()
		for i := from; i < to; i++ {
			n := len(entries[i].Key)
			keys[i], piece = piece[:n], piece[n:]
		}
	})
	return keys
}

// copyValues returns the entries' values in memory of their own. Whoever appends to one does not write into the next.
func copyValues(entries []Entry) [][]byte {
	values := make([][]byte, len(entries))
	inPieces(len(entries), func(i int) int { return len(entries[i].Value) }, func(from, to, bytes int) {
		piece := make([]byte, 0, bytes)
		for i := from; i < to; i++ {
			begin := len(piece)
			piece = append(piece, entries[i].Value...)
			values[i] = piece[begin:len(piece):len(piece)]
		}
	})
	return values
}

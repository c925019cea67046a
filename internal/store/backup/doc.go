// Package backup writes a store, with the files that are kept beside it, into one archive, and reads such archives. What
// belongs into an archive and where it goes is its callers' business.
//
// An archive is a gzipped tar file: store.jsonl has the entries of one revision, a line each, and after the files comes
// manifest.json with the sizes and checksums of all. An archive that has been cut off therefore lacks its manifest.
//
//	store.jsonl     {"key":"apis/a1b2c3d4e5","value":{…}}
//	code/….zip      a file, by its path below the data directory
//	manifest.json   {"format":1,"revision":17,"entries":1,"members":[{"name":"store.jsonl","size":44,"sha256":"…"},…]}
package backup

// Package codestore keeps the code of functions that was uploaded as zip files: each under the SHA-256 of its bytes, and
// unpacked beside it for the workers to run.
//
//	code/<sha256>.zip   what was uploaded; written aside, synced and renamed before its upload is acknowledged
//	code/<sha256>/      the same unpacked; made aside and renamed, and made anew from the zip file where it is missing. It is
//	                    not synced, which would take seconds for a folder of packages: none is trusted after the machine
//	                    went down
//	code/boot           which start of the machine the folders are of
//	code/tmp-*          what is being written; whatever a crash left of it goes with the next Open
//
// A zip file is unpacked, within bounds and never outside its folder, before it is taken in: what is kept can be run. The
// package knows nothing of functions; who uses which code is told to Sweep.
package codestore

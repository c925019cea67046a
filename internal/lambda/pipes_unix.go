//go:build unix

package lambda

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// maxDrain bounds what is read for one "written": no pipe holds more, but who else has the pipe may go on writing.
const maxDrain = 1 << 20

// pipe is the end of a pipe at which a stream is read: by a goroutine of its own, as soon as there is something, and in
// between by whoever has to know that all is read.
type pipe struct {
	file *os.File
	done chan struct{} // closed when the goroutine has ended
	room [8 << 10]byte // guarded by the stream's reading
}

// openOutput makes the pipes that the process writes to. They are the worker's from then on, whether it starts or not.
func (w *worker) openOutput() error {
	for _, s := range []*stream{w.stdout, w.stderr} {
		r, out, err := os.Pipe()
		if err != nil {
			w.closeOutput()
			return err
		}
		s.pipe = &pipe{file: r, done: make(chan struct{})}
		if s == w.stdout {
			w.cmd.Stdout = out
		} else {
			w.cmd.Stderr = out
		}
	}
	return nil
}

// readOutput begins to read, once the process has its ends of the pipes.
func (w *worker) readOutput() {
	w.closeWriters()
	for _, s := range []*stream{w.stdout, w.stderr} {
		go s.read()
	}
}

// closeOutput is for a process that has not started.
func (w *worker) closeOutput() {
	w.closeWriters()
	for _, s := range []*stream{w.stdout, w.stderr} {
		if s.pipe != nil {
			_ = s.pipe.file.Close() // nothing was read
		}
	}
}

func (w *worker) closeWriters() {
	for _, out := range []any{w.cmd.Stdout, w.cmd.Stderr} {
		if f, ok := out.(*os.File); ok {
			_ = f.Close() // nothing was written
		}
	}
}

// endOutput reads what the process has left in the pipes. Children that it left behind may hold them: they are not waited
// for long.
func (w *worker) endOutput() {
	for _, s := range []*stream{w.stdout, w.stderr} {
		_ = s.pipe.file.SetReadDeadline(time.Now().Add(outputGrace)) // pipes have deadlines on every Unix
	}
	for _, s := range []*stream{w.stdout, w.stderr} {
		<-s.pipe.done
		_ = s.pipe.file.Close() // it was read only
	}
}

// read reads the stream to its end, or to the deadline.
func (s *stream) read() {
	defer close(s.pipe.done)
	raw, err := s.pipe.file.SyscallConn()
	if err != nil {
		return // not reached: the file is open
	}
	_ = raw.Read(func(fd uintptr) (ended bool) {
		for {
			if n, err := s.readSome(fd); errors.Is(err, syscall.EAGAIN) {
				return false
			} else if n <= 0 {
				return true
			}
		}
	}) // else by the deadline
}

// drain reads what is in the pipe, and takes it for whole lines.
func (s *stream) drain() {
	raw, err := s.pipe.file.SyscallConn()
	if err != nil {
		return // not reached, as above
	}
	_ = raw.Control(func(fd uintptr) {
		for read := 0; read < maxDrain; {
			n, err := s.readSome(fd)
			if n <= 0 || err != nil {
				return
			}
			read += n
		}
	}) // else the worker has ended, and its output was read
	s.reading.Lock()
	defer s.reading.Unlock()
	s.close()
}

// readSome reads once and takes in what it got, before anybody else reads on.
func (s *stream) readSome(fd uintptr) (int, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	for {
		n, err := syscall.Read(int(fd), s.pipe.room[:])
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if n > 0 {
			_, _ = s.Write(s.pipe.room[:n]) // it never fails
		}
		return n, err
	}
}

package lambda

// pipe is what a stream is read from: here package exec has it, and our runtimes mark the end of each invocation's output.
type pipe struct{}

func (w *worker) openOutput() error {
	w.cmd.Stdout, w.cmd.Stderr = w.stdout, w.stderr
	w.cmd.WaitDelay = outputGrace
	return nil
}

func (w *worker) readOutput() {}

func (w *worker) closeOutput() {}

func (w *worker) endOutput() {}

func (s *stream) drain() {}

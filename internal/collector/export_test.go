package collector

// StartWith is Start with another releaser.
func StartWith(r Releaser) (stop func()) { return start(r) }

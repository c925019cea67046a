package authorizer

// Sizes are how many entries each half of the table of failures has.
func (f *Failures) Sizes() (young, old int) { return len(f.levels.young), len(f.levels.old) }

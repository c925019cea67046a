package vtl

// These are judgements on what nobody has confirmed of AWS's engine (spec open-questions 1 to 7). Each is a switch here
// and is read in one place.
const (
	// emptyStringIsFalse: #if takes a variable that holds "" for false, as Velocity 2 does, and 1.7 does not
	// (open-questions 1).
	emptyStringIsFalse = true
	// hyphenInNames: $a-b is the variable "a-b", as in Velocity 1.x (open-questions 2).
	hyphenInNames = true
	// undefinedText is what a reference to nothing prints; plain Velocity prints its source (open-questions 3).
	undefinedText = ""
	// setTakesNull: #set with a right side of null makes the variable null; 1.7 keeps the old value (open-questions 4).
	setTakesNull = true
	// jsonOfMissing is what $input.json gives for a path that leads nowhere (open-questions 5).
	jsonOfMissing = `""`
	// escapesSlash and escapesNonASCII: $util.escapeJavaScript does what commons-lang 2 does (open-questions 6).
	escapesSlash    = true
	escapesNonASCII = true
	// A body that is not JSON fails the template at $input.path and $input.json (open-questions 7): Input.document.

	// longLoopFails: a #foreach with more than maxIterations turns fails the template, rather than ending early and
	// losing the rest in silence.
	longLoopFails = true
)

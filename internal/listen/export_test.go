package listen

// ParseHead and EndOfHead are reached by fuzz targets, which cannot afford a server per input.
var (
	ParseHead = parseHead
	EndOfHead = endOfHead
)

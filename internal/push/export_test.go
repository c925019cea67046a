package push

// Split is what tests of the inside need.
var Split = split

package conn

// MaxDeparted is how many ended connections a Hub remembers.
const MaxDeparted = maxDeparted

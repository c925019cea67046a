package conn

import "sync"

// crew is the goroutines of one event loop. One of them leads: it waits for events, reads, and calls the Handler itself.
// Before a call that may wait goes on, another one takes the lead, and the first becomes an ordinary goroutine that works
// on its message. So a message that nobody waits for costs no switch, one that waits costs a single wake-up, and stacks
// that have grown are used again.
//
// Who has nothing to do rests, and trim lets those end who were not needed for a while: an idle node is left with one
// goroutine for each loop.
type crew struct {
	lead func() // leads the loop until another one does, or the loop has ended

	mu      sync.Mutex
	resting []chan struct{} // of each that rests, the last to come first to go; closed: end
	least   int             // the fewest that rested since the last trim
	ended   bool
	members sync.WaitGroup
}

// mostResting bounds those who rest. More end once they are done.
const mostResting = 256

// promote has another goroutine lead.
func (c *crew) promote() {
	c.mu.Lock()
	if k := len(c.resting) - 1; k >= 0 {
		wake := c.resting[k]
		c.resting = c.resting[:k]
		c.least = min(c.least, k)
		c.mu.Unlock()
		wake <- struct{}{} // has room
		return
	}
	c.mu.Unlock()
	c.members.Go(c.work)
}

// work is the life of one goroutine of the crew.
func (c *crew) work() {
	wake := make(chan struct{}, 1)
	for {
		c.lead()
		if !c.rest(wake) {
			return
		}
		if _, ok := <-wake; !ok {
			return
		}
	}
}

// rest puts a goroutine among those that promote may wake, and reports false where it should end instead.
func (c *crew) rest(wake chan struct{}) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || len(c.resting) == mostResting {
		return false
	}
	c.resting = append(c.resting, wake)
	return true
}

// trim ends those that have only rested since the last call.
func (c *crew) trim() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, wake := range c.resting[:c.least] {
		close(wake)
	}
	kept := copy(c.resting, c.resting[c.least:])
	clear(c.resting[kept:])
	c.resting = c.resting[:kept]
	c.least = kept
}

// end ends all of the crew, and waits for it. Nobody leads any more.
func (c *crew) end() {
	c.mu.Lock()
	c.ended, c.least = true, len(c.resting)
	c.mu.Unlock()
	c.trim()
	c.members.Wait()
}

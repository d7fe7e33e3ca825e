package cpu

import "openrs/stages/device/cpu/kernel"

// A product of few rows takes as long as its weight takes to read, and between two products memory has
// nothing to do. A model goes through its weights in the same order every time: threads that wait, while
// another does what one thread does alone or the last part of an operation, therefore ask for the
// beginning of their shares of the weight that followed the last time. This changes when memory is read,
// nothing else.
const (
	// aheadValues is for how much of a share a thread asks (in units of four bytes), a part of the second
	// level cache; aheadStep is how much it asks for before it looks whether there is work.
	aheadValues = 64 << 10
	aheadStep   = 512
)

// upcoming is what a device expects.
type upcoming struct {
	latest *weight               // of the products of few rows
	ahead  func(worker int) bool // asks for the weight after it; nil if that is not known
}

// asked is what a thread has asked for: values up to next of w.
type asked struct {
	w    *weight
	next int
	end  int
}

// begun notes that w is being read: the next time it is asked for from the start again.
func (a *asked) begun(w *weight) {
	if a.w == w {
		a.w = nil
	}
}

// follows notes that a product of rows with w is next.
func (d *Device) follows(w *weight, rows int) {
	if rows > rowBlock {
		d.upcoming = upcoming{}
		return
	}
	if d.latest != nil && d.latest.next != w {
		d.latest.next = w
	}
	d.upcoming = upcoming{latest: w}
	if w.next != nil && w.next.living() {
		d.ahead = w.next.asking()
	}
}

// asking returns the function that asks for a thread's share of w, a step a call. It runs on other
// threads, at a time when w may have been freed: it looks at nothing of w but its address.
func (w *weight) asking() func(worker int) bool {
	if w.ask != nil {
		return w.ask
	}
	d, values, n := w.owner, w.fwd16, panels(w.out)
	if values == nil {
		values = kernel.AsPairs(w.fwd)
	}
	w.ask = func(id int) bool {
		a := &d.workers[id].asked
		if a.w != w {
			from, to := kernel.Share(n, len(d.workers), id)
			perPanel := len(values) / n
			*a = asked{w: w, next: from * perPanel, end: min(to*perPanel, from*perPanel+aheadValues)}
		}
		if a.next >= a.end {
			return false
		}
		to := min(a.next+aheadStep, a.end)
		kernel.Prefetch(values[a.next:to])
		a.next = to
		return true
	}
	return w.ask
}

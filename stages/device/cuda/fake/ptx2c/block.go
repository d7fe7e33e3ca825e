//go:build cuda

package main

import (
	"regexp"
	"strings"
)

// block is a basic block: it is entered at its start only. Threads of a warp that part wait at the number
// of a block, so a block also starts after every barrier and before the first operation for which threads
// of a warp have to meet.
type block struct {
	items []item
	meets bool // the first item is such an operation
}

// meets says whether an instruction waits for other threads of its warp, and for which: the operand that
// holds the mask, or "" for all.
func meets(it item) (bool, string) {
	switch it.mods[0] {
	case "shfl", "vote", "redux":
		return true, it.args[len(it.args)-1]
	case "mma", "ldmatrix":
		return true, "-1"
	case "bar":
		if it.mods[1] == "warp" {
			return true, it.args[0]
		}
	}
	return false, ""
}

func isBlockBarrier(it item) bool {
	return (it.mods[0] == "bar" && it.mods[1] != "warp") || it.mods[0] == "barrier"
}

func ends(it item) bool {
	switch it.mods[0] {
	case "bra", "ret", "exit", "trap":
		return true
	}
	return isBlockBarrier(it)
}

// blocks cuts the kernel, and tells at which block each label is.
func (k *kernel) blocks() ([]block, map[string]int) {
	var out []block
	labels := map[string]int{}
	fresh := true // the next instruction starts a block
	var met string
	for _, it := range k.items {
		if it.label != "" {
			if !fresh || len(out) == 0 {
				out = append(out, block{})
			} else if len(out[len(out)-1].items) > 0 {
				out = append(out, block{})
			}
			labels[it.label] = len(out) - 1
			fresh, met = false, ""
			continue
		}
		wait, mask := meets(it)
		again := met == "-1" || met == mask // the threads met before in this block
		if fresh || len(out) == 0 || (wait && !again && len(out[len(out)-1].items) > 0) {
			out = append(out, block{})
			met = ""
		}
		b := &out[len(out)-1]
		if wait && len(b.items) == 0 {
			b.meets, met = true, mask
		}
		b.items = append(b.items, it)
		fresh = ends(it)
	}
	return out, labels
}

var reReg2 = regexp.MustCompile(`[%$A-Za-z_][\w$%.]*`)

// within finds the registers that live inside one block: every use is there, after an unconditional
// write. They need no mask, since nobody sees what other threads' lanes hold.
func (k *kernel) within(blocks []block) map[string]bool {
	home := map[string]int{}
	spread := map[string]bool{}
	for i, b := range blocks {
		for _, it := range b.items {
			dst := destinations(it)
			written := map[string]bool{}
			for _, d := range dst {
				written[d] = true
			}
			text := it.pred + " " + strings.Join(it.args, " ")
			for _, name := range reReg2.FindAllString(text, -1) {
				if _, ok := k.regs[name]; !ok {
					continue
				}
				h, seen := home[name]
				switch {
				case !seen && written[name] && it.pred == "" && !reads(it, name):
					home[name] = i
				case !seen:
					home[name], spread[name] = i, true
				case h != i:
					spread[name] = true
				}
			}
		}
	}
	out := map[string]bool{}
	for name := range home {
		if !spread[name] {
			out[name] = true
		}
	}
	return out
}

// destinations are the registers that an instruction writes.
func destinations(it item) []string {
	switch it.mods[0] {
	case "st", "red", "bra", "bar", "barrier", "cp", "ret", "exit", "membar", "fence", "prefetch", "trap", "nanosleep":
		return nil
	}
	if len(it.args) == 0 {
		return nil
	}
	return reReg2.FindAllString(it.args[0], -1)
}

// reads says whether an instruction uses the register before it writes it.
func reads(it item, name string) bool {
	for _, a := range it.args[1:] {
		for _, r := range reReg2.FindAllString(a, -1) {
			if r == name {
				return true
			}
		}
	}
	return false
}

package expr

// members compares sets and lists without regard to order and repetition: each member of either must be
// in the other.
func (c *comparer) members(x, y *form) verdict {
	if len(x.items) == len(y.items) && len(x.items) > 1 && c.inOrder(x.items, y.items) == same {
		return c.because(same, "members in order")
	}
	a, b := c.distinct(x.items), c.distinct(y.items)
	if len(a) != len(b) {
		return c.because(different, "number of members")
	}
	used := make([]bool, len(b))
	worst := same
	for _, m := range a {
		found := different
		for j, n := range b {
			if used[j] {
				continue
			}
			v := c.compare(m, n)
			if v == same {
				used[j] = true
				found = same
				break
			}
			if v == undecided {
				found = undecided
			}
		}
		if found == different {
			return c.because(different, "a member")
		}
		if found == undecided {
			worst = undecided
		}
	}
	return c.because(worst, "members")
}

// distinct returns the members without repeated ones.
func (c *comparer) distinct(items []*form) []*form {
	if len(items) < 2 {
		return items
	}
	var out []*form
	for _, m := range items {
		repeated := false
		for _, n := range out {
			if m.key != "" && m.key == n.key || m.isExpr() && n.isExpr() && m.unit.size == nil && n.unit.size == nil && c.identical(m.expr, n.expr) {
				repeated = true
				break
			}
		}
		if !repeated {
			out = append(out, m)
		}
	}
	return out
}

// identical reports whether two members of one set are one: exact numbers cheaply, others by value.
func (c *comparer) identical(x, y *node) bool {
	if x.isNumber() && y.isNumber() {
		return x.num.Cmp(y.num) == 0
	}
	reason := c.reason
	v := c.nodes(x, y)
	c.reason = reason
	return v == same
}

// inOrder compares two sequences member by member.
func (c *comparer) inOrder(x, y []*form) verdict {
	if len(x) != len(y) {
		return c.because(different, "length")
	}
	worst := same
	for i := range x {
		switch c.compare(x[i], y[i]) {
		case different:
			return different
		case undecided:
			worst = undecided
		}
	}
	return worst
}

func (c *comparer) ordered(x, y *form) verdict { return c.inOrder(x.items, y.items) }

func (c *comparer) tuples(x, y *form) verdict {
	if (x.left == "[") != (y.left == "[") && len(x.items) == 2 {
		return c.because(different, "brackets")
	}
	return c.inOrder(x.items, y.items)
}

// only compares a value with a set that may have just it.
func (c *comparer) only(x, y *form) verdict {
	if items := c.distinct(y.items); len(items) == 1 {
		return c.compare(x, items[0])
	}
	return c.because(different, "number of members")
}

// intervals compares ends and whether they belong to it. A pair is an open interval.
func (c *comparer) intervals(x, y *form) verdict {
	if x.kind == KindTuple && len(x.items) != 2 || y.kind == KindTuple && len(y.items) != 2 {
		return c.because(different, "tuple and interval")
	}
	if x.kind == KindTuple && x.left == "(" && y.left == "(" && y.right == ")" || y.kind == KindTuple && x.left == "(" && x.right == ")" || x.kind == KindInterval && y.kind == KindInterval {
		if x.left != y.left || x.right != y.right {
			return c.because(different, "closed end")
		}
		return c.inOrder(x.items, y.items)
	}
	return c.because(different, "closed end")
}

// unions compares regions of the line, or else operands in any order.
func (c *comparer) unions(x, y *form) verdict {
	if v := c.regions(x, y); v != undecided {
		return v
	}
	for i, rel := range x.rels {
		if rel != "∪" || len(y.rels) <= i || y.rels[i] != "∪" {
			return c.because(undecided, "sets")
		}
	}
	return c.members(&form{kind: KindSet, items: x.items}, &form{kind: KindSet, items: y.items})
}

// regions compares two sets of real numbers, however they are given.
func (c *comparer) regions(x, y *form) verdict {
	if x.kind == KindSet && x.class() == y.class() {
		return c.members(x, y)
	}
	a, va, ok := c.region(x)
	if !ok {
		return c.because(undecided, "a set that is not solved")
	}
	b, vb, ok := c.region(y)
	if !ok {
		return c.because(undecided, "a set that is not solved")
	}
	if va != "" && vb != "" && va != vb {
		return c.because(different, "variables")
	}
	return c.samePieces(a, b)
}

func (c *comparer) samePieces(a, b []piece) verdict {
	if len(a) != len(b) {
		return c.because(different, "number of intervals")
	}
	worst := same
	for i := range a {
		if a[i].closedLow != b[i].closedLow || a[i].closedHigh != b[i].closedHigh {
			return c.because(different, "closed end")
		}
		for _, ends := range [][2]*node{{a[i].low, b[i].low}, {a[i].high, b[i].high}} {
			switch c.ends(ends[0], ends[1]) {
			case different:
				return c.because(different, "an end")
			case undecided:
				worst = undecided
			}
		}
	}
	return c.because(worst, "intervals")
}

// ends compares two ends, of which nil is infinite.
func (c *comparer) ends(x, y *node) verdict {
	switch {
	case x == nil && y == nil:
		return same
	case x == nil || y == nil:
		return different
	}
	return c.nodes(x, y)
}

package expr

// matrices carries out sums, multiples and products of matrices and determinants in n, as far as the
// shapes allow it.
func (c *comparer) matrices(n *node) *node {
	found := false
	n.walk(func(m *node) bool {
		found = found || m.op == opMatrix
		return !found
	})
	if !found {
		return n
	}
	return (&builder{budget: c.budget}).expandMatrices(n)
}

func (b *builder) expandMatrices(n *node) *node {
	b.budget.spend(1)
	if len(n.args) == 0 || n.op == opMatrix {
		return n
	}
	args := make([]*node, len(n.args))
	for i, a := range n.args {
		args[i] = b.expandMatrices(a)
	}
	m := *n
	m.args = args
	total := args[0]
	switch n.op {
	case opAdd:
		for _, a := range args[1:] {
			if total = b.addMatrix(total, a); total == nil {
				return &m
			}
		}
		return total
	case opMul:
		for _, a := range args[1:] {
			if total = b.mulMatrix(total, a); total == nil {
				return &m
			}
		}
		return total
	case opDiv:
		if total.op == opMatrix && args[1].op != opMatrix {
			return b.each(total, func(x *node) *node { return b.div(x, args[1]) })
		}
	case opCall:
		if n.name == "det" && total.op == opMatrix && len(total.args) == total.rows*total.rows && total.rows <= 5 {
			return b.determinant(total)
		}
	}
	return &m
}

func (b *builder) each(m *node, f func(*node) *node) *node {
	out := *m
	out.args = make([]*node, len(m.args))
	for i, a := range m.args {
		out.args[i] = f(a)
	}
	return b.count(&out)
}

func (b *builder) addMatrix(x, y *node) *node {
	if x.op != opMatrix && y.op != opMatrix {
		return b.add(x, y)
	}
	if x.op != opMatrix || y.op != opMatrix || x.rows != y.rows || len(x.args) != len(y.args) {
		return nil
	}
	out := *x
	out.args = make([]*node, len(x.args))
	for i := range x.args {
		out.args[i] = b.add(x.args[i], y.args[i])
	}
	return b.count(&out)
}

func (b *builder) mulMatrix(x, y *node) *node {
	switch {
	case x.op != opMatrix && y.op != opMatrix:
		return b.mul(x, y)
	case x.op != opMatrix:
		return b.each(y, func(a *node) *node { return b.mul(x, a) })
	case y.op != opMatrix:
		return b.each(x, func(a *node) *node { return b.mul(a, y) })
	}
	inner, cols := len(x.args)/x.rows, len(y.args)/y.rows
	if inner != y.rows || x.rows*cols > maxItems {
		return nil
	}
	out := &node{op: opMatrix, rows: x.rows}
	for i := range x.rows {
		for j := range cols {
			total := b.mul(x.args[i*inner], y.args[j])
			for k := 1; k < inner; k++ {
				total = b.add(total, b.mul(x.args[i*inner+k], y.args[k*cols+j]))
			}
			out.args = append(out.args, total)
		}
	}
	return b.count(out)
}

// determinant expands along the first row.
func (b *builder) determinant(m *node) *node {
	if m.rows == 1 {
		return m.args[0]
	}
	n := m.rows
	var total *node
	for j := range n {
		minor := &node{op: opMatrix, rows: n - 1}
		for r := 1; r < n; r++ {
			for k := range n {
				if k != j {
					minor.args = append(minor.args, m.args[r*n+k])
				}
			}
		}
		x := b.mul(m.args[j], b.determinant(minor))
		if j%2 == 1 {
			x = b.neg(x)
		}
		if total == nil {
			total = x
		} else {
			total = b.add(total, x)
		}
	}
	return total
}

// matrix compares shapes and entries.
func (c *comparer) matrix(x, y *node) verdict {
	if x.op != opMatrix || y.op != opMatrix {
		return c.because(different, "matrix and number")
	}
	if x.rows != y.rows || len(x.args) != len(y.args) {
		return c.because(different, "shape of the matrix")
	}
	worst := same
	for i := range x.args {
		switch c.nodes(x.args[i], y.args[i]) {
		case different:
			return c.because(different, "an entry of the matrix")
		case undecided:
			worst = undecided
		}
	}
	return c.because(worst, "matrices")
}

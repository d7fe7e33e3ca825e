package jinja

// expression is a node of the tree that has a value.
type expression interface {
	eval(s *scope) (any, error)
}

// The nodes. line is where an operation stands, for messages.
type (
	constant  struct{ value any }
	variable  struct{ name string }
	listOf    struct{ items []expression }
	tupleOf   struct{ items []expression }
	dictOf    struct{ keys, values []expression }
	condition struct{ test, yes, no expression } // no may be nil
	junction  struct {                           // and, or
		or          bool
		left, right expression
	}
	negation struct{ of expression }
	sign     struct {
		line  int
		minus bool
		of    expression
	}
	operation struct {
		line        int
		op          string
		left, right expression
	}
	comparison struct { // a < b < c
		line  int
		first expression
		ops   []string
		rest  []expression
	}
	attribute struct {
		line int
		of   expression
		name string
	}
	item struct {
		line    int
		of, key expression
	}
	slice struct {
		line              int
		of                expression
		start, stop, step expression // nil where left out
	}
	call struct {
		line int
		of   expression
		args callArguments
	}
	filtered struct {
		line int
		name string
		of   expression // nil in {% filter %}
		args callArguments
	}
	tested struct {
		line int
		not  bool
		name string
		of   expression
		args callArguments
	}
)

// callArguments are what stands between the brackets of a call.
type callArguments struct {
	positional  []expression
	named       []namedExpression
	star, stars expression // *list and **mapping, or nil
}

type namedExpression struct {
	name  string
	value expression
}

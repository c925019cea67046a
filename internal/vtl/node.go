package vtl

import (
	"cleat/internal/apigw"
	"cleat/internal/jsonpath"
)

// A template is a tree of nodes, which render, and expressions, which have a value. Each knows where it stands in the
// text, as a byte offset.
type (
	node interface{ render(r *renderer) flow }

	expression interface{ eval(r *renderer) any }

	block []node
)

// flow is how rendering goes on after a node.
type flow uint8

const (
	flowNext  flow = iota
	flowBreak      // leaves the loop, or the macro
	flowStop       // ends the template
)

type (
	textNode struct {
		at   int
		text string
	}

	setNode struct {
		at     int
		target *reference
		value  expression
	}

	ifNode struct{ branches []branch }

	branch struct {
		condition expression // nil: #else
		body      block
	}

	foreachNode struct {
		at   int
		slot int
		in   expression
		body block
	}

	flowNode flow // #break, #stop

	callNode struct {
		at     int
		macro  *macro
		args   []expression
		source string
	}

	defineNode struct {
		slot int
		body *definition
	}

	evaluateNode struct {
		at   int
		text expression
	}
)

// source is the text that places are in: a template's, or that of an #evaluate.
type source struct {
	text  string
	where string // stands before what is wrong in it
}

// macro is what #macro defines. Calls may stand before it.
type macro struct {
	defined bool
	from    *source
	params  []int // slots
	body    block
}

// definition is the block of a #define, which is rendered wherever it is printed.
type definition struct {
	from *source
	at   int
	body block
}

// reference is $name with what follows it.
type reference struct {
	at      int
	slot    int
	links   []link
	escapes int    // backslashes before it
	source  string // as it is written, for \$name
	// text is what prints $context.{name} and $context.identity.{name} without making values of them; see direct.
	text func(*apigw.RequestContext) (string, bool)
}

// link is one step of a reference: .name, .name(…) or […].
type link struct {
	at    int
	kind  linkKind
	name  string
	args  []expression   // of a call; the index
	path  *jsonpath.Path // of $input.path('…') with a constant path
	regex *pattern       // of replaceAll and its kind with a constant pattern
}

type linkKind uint8

const (
	linkProperty linkKind = iota
	linkCall
	linkIndex
)

type (
	literal struct {
		value any
		never bool // "" and 0 are false as a condition, though their values need not be
	}

	interpolated struct {
		at   int
		body block
	}

	listLiteral struct{ items []expression }

	rangeLiteral struct {
		at       int
		from, to expression
	}

	mapLiteral struct {
		at           int
		keys, values []expression
	}

	notExpression struct{ of expression }

	binary struct {
		at          int
		op          operator
		left, right expression
	}
)

type operator uint8

const (
	opNone operator = iota
	opOr
	opAnd
	opEqual
	opNotEqual
	opLess
	opLessEqual
	opGreater
	opGreaterEqual
	opAdd
	opSubtract
	opMultiply
	opDivide
	opModulo
)

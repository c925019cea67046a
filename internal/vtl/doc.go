// Package vtl is the language of mapping templates (spec mapping-templates): Velocity 1.7 as API Gateway runs it, with
// the objects $input, $context, $util and $stageVariables.
//
// Parse reads a template once; a Template is immutable and safe for concurrent use, and Render makes its text of one
// Input without any I/O. Java shows through everywhere, because authors see it: maps print {k=v}, numbers are Integer,
// Long and Double, strings have Java's methods. Nothing is done by reflection: what a value can do stands in a table for
// its type, and whatever is not in there prints nothing, $x.class among it.
//
// A render is bounded in its steps, its output, the turns of its loops and the depth of its macros, so that neither a
// template nor the message that it works on can hold a node up. Each error is an *Error with line and column.
//
// What is unconfirmed about AWS's engine is decided in judgement.go, in one place each.
package vtl

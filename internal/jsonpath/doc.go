// Package jsonpath is JSON as mapping templates see it (spec mapping-templates §2 and §4.1): a document whose objects
// keep the order of their members, whose numbers are what Java would make of them, and paths into it in the dialect of
// Jayway JsonPath, which is the one that API Gateway speaks.
//
// A value is a Go value of one of these types, and no other comes out of Parse:
//
//	nil                       null
//	bool                      true, false
//	int32                     a Java Integer: an integer of up to 32 bits
//	int64                     a Java Long: an integer of up to 64 bits
//	*big.Int                  a Java BigInteger: any other integer
//	float64                   a Java Double: a number with a fraction or an exponent
//	Decimal                   a Java BigDecimal: such a number that a Double does not hold
//	string                    text
//	*Array, *Object           what holds others
//
// Documents are mutable, for templates change them; paths are immutable and safe for concurrent use. Everything is
// bounded: the depth of a document, the length of a number and of a path, and the work of an evaluation. The package
// reads no files and knows nothing of API Gateway.
package jsonpath

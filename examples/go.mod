module cleat/examples

go 1.26.0

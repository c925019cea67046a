module cleat/examples

go 1.26.0

// What npm installs in the examples has Go files of its own.
ignore node_modules

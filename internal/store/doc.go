// Package store keeps the definitions: APIs with all that belongs to them, functions, and which stack made what. It is
// the only place where control plane and data plane meet: control writes batches, gateway and the function pool watch
// and read what is published. It knows no rule of API Gateway; those are package draft's.
//
// Under the typed layer lies a Driver, an atomic key-value store. Drivers live in packages of their own and are held to
// the suite in storetest.
package store

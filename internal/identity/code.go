package identity

import (
	"fmt"

	"cleat/internal/apigw"
)

// Code is the code of an IAM error. As an error it is the cause of an *apigw.Error, whose kind tells the status.
type Code string //nolint:errname // AWS's word

// The codes that this package gives.
//
//nolint:errname // AWS's names
const (
	NoSuchEntity            Code = "NoSuchEntity"
	EntityAlreadyExists     Code = "EntityAlreadyExists"
	DeleteConflict          Code = "DeleteConflict"
	LimitExceeded           Code = "LimitExceeded"
	ConcurrentModification  Code = "ConcurrentModification"
	MalformedPolicyDocument Code = "MalformedPolicyDocument"
	ValidationError         Code = "ValidationError"
	InvalidInput            Code = "InvalidInput"
)

func (c Code) Error() string { return string(c) }

// kind is the kind of error whose status AWS answers with.
func (c Code) kind() apigw.Kind {
	switch c {
	case NoSuchEntity:
		return apigw.KindNotFound
	case EntityAlreadyExists, DeleteConflict, LimitExceeded, ConcurrentModification:
		return apigw.KindConflict
	default:
		return apigw.KindBadRequest
	}
}

// Errorf returns an error of the code, with a text for the eyes of whoever called.
func (c Code) Errorf(format string, args ...any) error {
	return &apigw.Error{Kind: c.kind(), Message: fmt.Sprintf(format, args...), Err: c}
}

package awsapi

import "cleat/internal/apigw"

// responseTypes are API Gateway's names for the answers that it makes itself, by what went wrong; access logs show them
// as $context.error.responseType (spec data-plane §9.1). What has no name of its own is DEFAULT_4XX or DEFAULT_5XX.
var responseTypes = map[apigw.Kind]string{
	apigw.KindBadRequest:                 "BAD_REQUEST_PARAMETERS",
	apigw.KindUnauthorized:               "UNAUTHORIZED",
	apigw.KindAccessDenied:               "ACCESS_DENIED",
	apigw.KindInvalidAPIKey:              "INVALID_API_KEY",
	apigw.KindMissingAuthenticationToken: "MISSING_AUTHENTICATION_TOKEN",
	apigw.KindNotFound:                   "RESOURCE_NOT_FOUND",
	apigw.KindPayloadTooLarge:            "REQUEST_TOO_LARGE",
	apigw.KindInvalidRequestBody:         "BAD_REQUEST_BODY",
	apigw.KindUnsupportedMediaType:       "UNSUPPORTED_MEDIA_TYPE",
	apigw.KindTooManyRequests:            "THROTTLED",
	apigw.KindLimitExceeded:              "QUOTA_EXCEEDED",
	apigw.KindIntegrationFailure:         "INTEGRATION_FAILURE",
	apigw.KindIntegrationConfig:          "API_CONFIGURATION_ERROR",
	apigw.KindIntegrationTimeout:         "INTEGRATION_TIMEOUT",
	apigw.KindAuthorizerConfig:           "AUTHORIZER_CONFIGURATION_ERROR",
	apigw.KindAuthorizerFailure:          "AUTHORIZER_FAILURE",
	apigw.KindInvalidSignature:           "INVALID_SIGNATURE",
	apigw.KindIncompleteSignature:        "INVALID_SIGNATURE",
	apigw.KindExpiredToken:               "EXPIRED_TOKEN",
}

// ResponseType is API Gateway's name for the answer to an error.
func ResponseType(err error) string {
	if name, ok := responseTypes[apigw.KindOf(err)]; ok {
		return name
	}
	if Status(err) < 500 {
		return "DEFAULT_4XX"
	}
	return "DEFAULT_5XX"
}

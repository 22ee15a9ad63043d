package emulator

import "net/http"

// refusal is the answer to a call that the portal refuses: the HTTP status, and the code and
// the text of the error envelope (docs/bitrix24.md 3.3).
type refusal struct {
	status int
	code   string
	text   string
}

func (r *refusal) Error() string { return r.code + " " + r.text }

// The errors of a portal (docs/bitrix24.md 3.4, 1.6, 2.1, 5, 6.2). Those of the old CRM methods
// have an empty code.
var (
	errNoAuth         = &refusal{http.StatusUnauthorized, "NO_AUTH_FOUND", "Wrong authorization data"}
	errExpired        = &refusal{http.StatusUnauthorized, "expired_token", "The access token provided has expired."}
	errInvalidToken   = &refusal{http.StatusUnauthorized, "invalid_token", "Unable to get application by token"}
	errUserBlocked    = &refusal{http.StatusUnauthorized, "authorization_error", "Unable to authorize user"}
	errNotInstalled   = &refusal{http.StatusUnauthorized, "ERROR_OAUTH", "Application not installed"}
	errPayment        = &refusal{http.StatusUnauthorized, "PAYMENT_REQUIRED", "Subscription has been ended"}
	errCredentials    = &refusal{http.StatusForbidden, "INVALID_CREDENTIALS", "Invalid request credentials"}
	errScope          = &refusal{http.StatusForbidden, "insufficient_scope", "The request requires higher privileges than provided by the access token"}
	errScopeWebhook   = &refusal{http.StatusForbidden, "insufficient_scope", "The request requires higher privileges than provided by the webhook token"}
	errUserAccess     = &refusal{http.StatusForbidden, "user_access_error", "The user does not have access to the application."}
	errTariff         = &refusal{http.StatusForbidden, "ACCESS_DENIED", "REST API is available only on commercial plans"}
	errAdminOnly      = &refusal{http.StatusForbidden, "ACCESS_DENIED", "Access denied!"}
	errAppOnly        = &refusal{http.StatusForbidden, "ACCESS_DENIED", "Access denied! Application context required"}
	errAuthType       = &refusal{http.StatusForbidden, "WRONG_AUTH_TYPE", "Current authorization type is denied for this method"}
	errNoMethod       = &refusal{http.StatusNotFound, "ERROR_METHOD_NOT_FOUND", "Method not found!"}
	errNoBatch        = &refusal{http.StatusMethodNotAllowed, "ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage"}
	errBatchLength    = &refusal{http.StatusBadRequest, "ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded"}
	errHTTPS          = &refusal{http.StatusBadRequest, "INVALID_REQUEST", "Https required."}
	errOperating      = &refusal{http.StatusTooManyRequests, "OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit."}
	errQueryLimit     = &refusal{http.StatusServiceUnavailable, "QUERY_LIMIT_EXCEEDED", "Too many requests"}
	errOverload       = &refusal{http.StatusServiceUnavailable, "OVERLOAD_LIMIT", "REST API is blocked due to overload"}
	errInternal       = &refusal{http.StatusInternalServerError, "INTERNAL_SERVER_ERROR", "Internal server error"}
	errUnexpected     = &refusal{http.StatusInternalServerError, "ERROR_UNEXPECTED_ANSWER", "Server returned an unexpected response"}
	errPortalDeleted  = &refusal{http.StatusInternalServerError, "PORTAL_DELETED", "Portal was deleted"}
	errLeadNotFound   = &refusal{http.StatusBadRequest, "", "Not found"}
	errLeadID         = &refusal{http.StatusBadRequest, "", "ID is not defined or invalid."}
	errLeadDenied     = &refusal{http.StatusBadRequest, "", "Access denied."}
	errEventUnknown   = &refusal{http.StatusBadRequest, "ERROR_EVENT_NOT_FOUND", "Event not found"}
	errHandlerBound   = &refusal{http.StatusBadRequest, "ERROR_CORE", "Unable to set event handler: Handler already binded"}
	errHandlerURL     = &refusal{http.StatusBadRequest, "ERROR_WRONG_HANDLER_URL", "Wrong handler URL"}
	errHandlerScheme  = &refusal{http.StatusBadRequest, "ERROR_UNSUPPORTED_PROTOCOL", "Unsupported event handler protocol"}
	errOfflineUnbind  = &refusal{http.StatusForbidden, "ACCESS_DENIED", "Access denied! Offline events unbinding requires administrator access rights"}
	errConnectorPlan  = &refusal{http.StatusForbidden, "WRONG_LICENSE", "This feature is not enabled for the current license: auth_connector"}
	errExtendedPlan   = &refusal{http.StatusForbidden, "WRONG_LICENSE", "This feature is not enabled for the current license: extended offline events handling"}
	errItemNotFound   = &refusal{http.StatusBadRequest, "NOT_FOUND", "Element not found"}
	errItemDenied     = &refusal{http.StatusBadRequest, "ACCESS_DENIED", "Access denied"}
	errConfirmWaiting = &refusal{http.StatusUnauthorized, "METHOD_CONFIRM_WAITING", "Waiting for confirmation"}
	errConfirmDenied  = &refusal{http.StatusForbidden, "METHOD_CONFIRM_DENIED", "Method call denied"}
)

// errArgument is ERROR_ARGUMENT with a text.
func errArgument(text string) *refusal {
	return &refusal{http.StatusBadRequest, "ERROR_ARGUMENT", text}
}

// errEmptyCode is an error of the old CRM methods.
func errEmptyCode(text string) *refusal {
	return &refusal{http.StatusBadRequest, "", text}
}

// show is the error envelope.
func (r *refusal) show() object {
	return object{{"error", r.code}, {"error_description", r.text}}
}

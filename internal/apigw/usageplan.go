package apigw

import "time"

// APIKey is a secret text that a client shows when it connects; usage plans say what it is good for (spec control-plane
// §14). Keys belong to the node, not to an API.
type APIKey struct {
	ID              string            `json:"id"`
	Value           string            `json:"value,omitempty"` // 20 to 128 characters; a credential: never logged
	Name            string            `json:"name,omitempty"`
	CustomerID      string            `json:"customerId,omitempty"`
	Description     string            `json:"description,omitempty"`
	Enabled         bool              `json:"enabled"`
	CreatedDate     time.Time         `json:"createdDate"`
	LastUpdatedDate time.Time         `json:"lastUpdatedDate"`
	Tags            map[string]string `json:"tags,omitempty"`
}

// UsagePlan says which stages its keys open, and how much each key may ask of them (spec control-plane §14).
type UsagePlan struct {
	ID          string            `json:"id"`
	Name        string            `json:"name,omitempty"`
	Description string            `json:"description,omitempty"`
	APIStages   []UsagePlanStage  `json:"apiStages,omitempty"`
	Throttle    *ThrottleSettings `json:"throttle,omitempty"` // of each key; nil: none
	Quota       *QuotaSettings    `json:"quota,omitempty"`    // of each key; nil: none
	Tags        map[string]string `json:"tags,omitempty"`
}

// UsagePlanStage is one stage that a usage plan opens.
type UsagePlanStage struct {
	APIID APIID  `json:"apiId"`
	Stage string `json:"stage"`
	// Throttle overrides the plan's own for single route keys.
	Throttle map[string]ThrottleSettings `json:"throttle,omitempty"`
}

// ThrottleSettings are those of a token bucket: how many tokens it holds, and how many flow in a second.
type ThrottleSettings struct {
	BurstLimit int     `json:"burstLimit,omitempty"`
	RateLimit  float64 `json:"rateLimit,omitempty"`
}

// QuotaPeriod is the time after which a quota begins anew.
type QuotaPeriod string

// The periods, in UTC. A week begins on Sunday.
const (
	QuotaDay   QuotaPeriod = "DAY"
	QuotaWeek  QuotaPeriod = "WEEK"
	QuotaMonth QuotaPeriod = "MONTH"
)

// QuotaSettings are how many requests a key may make in a period.
type QuotaSettings struct {
	Limit int `json:"limit"`
	// Offset is how many requests count as used at the beginning of the first period of a key.
	Offset int         `json:"offset,omitempty"`
	Period QuotaPeriod `json:"period"`
}

// UsagePlanKey puts an API key into a usage plan.
type UsagePlanKey struct {
	ID          string `json:"id"`   // the API key's
	Type        string `json:"type"` // "API_KEY"
	UsagePlanID string `json:"usagePlanId"`
}

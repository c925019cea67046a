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
	Throttle    *ThrottleSettings `json:"throttle,omitempty"`    // of each key; nil: none
	Quota       *QuotaSettings    `json:"quota,omitempty"`       // of each key; nil: none
	ProductCode string            `json:"productCode,omitempty"` // of AWS Marketplace; kept, and no more
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

// Rates returns what a bucket of these settings is made of. A burst alone has the account's rate; a rate alone is for
// the bucket to make sense of.
func (t ThrottleSettings) Rates() (rate float64, burst int) {
	if t.RateLimit == 0 && t.BurstLimit > 0 {
		return QuotaRequestRate, t.BurstLimit
	}
	return t.RateLimit, t.BurstLimit
}

// QuotaPeriod is the time after which a quota begins anew.
type QuotaPeriod string

// The periods, in UTC. A week begins on Sunday, a month on its first day.
const (
	QuotaDay   QuotaPeriod = "DAY"
	QuotaWeek  QuotaPeriod = "WEEK"
	QuotaMonth QuotaPeriod = "MONTH"
)

// QuotaSettings are how many requests a key may make in a period.
type QuotaSettings struct {
	Limit int `json:"limit"`
	// Offset is the day on which a week or month begins, counted from zero: 1 makes weeks begin on Monday. AWS's reference
	// also calls it a number of requests; what AWS accepts (0 to 6, 0 to 27) only fits days.
	Offset int         `json:"offset,omitempty"`
	Period QuotaPeriod `json:"period"`
}

// UsagePlanKey puts an API key into a usage plan.
type UsagePlanKey struct {
	ID          string `json:"id"`   // the API key's
	Type        string `json:"type"` // "API_KEY"
	UsagePlanID string `json:"usagePlanId"`
}

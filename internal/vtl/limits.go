package vtl

import "cleat/internal/apigw"

// What parsing and rendering are held to. Those that AWS has are quotas of its documentation.
const (
	maxIterations = apigw.QuotaTemplateLoop
	maxOutput     = apigw.QuotaLambdaPayload // bytes of output, and of one string: no backend takes more
	maxSteps      = 1_000_000                // one for each node visited, for each element made, and for each 16 bytes of text
	quickSteps    = 2_000                    // are taken before Input.Yield is called: 0.1 ms or so
	bytesPerStep  = 16                       // of a text that is made
	bytesRead     = 256                      // of a text that is only looked at, for one step
	maxCalls      = 20                       // macros, #define blocks and #evaluate within each other; Velocity's own bound
	maxNesting    = 100                      // blocks and expressions within each other, in a template's text
	maxBigBits    = 4096                     // of an integer that arithmetic makes
	maxPrintDepth = 600                      // lists and maps within each other, when they are printed
)

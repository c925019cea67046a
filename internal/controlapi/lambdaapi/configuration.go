package lambdaapi

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"time"

	"cleat/internal/apigw"
	"cleat/internal/control/functions"
)

// configuration is Lambda's FunctionConfiguration.
type configuration struct {
	FunctionName     string       `json:"FunctionName"`
	FunctionArn      string       `json:"FunctionArn"`
	Runtime          string       `json:"Runtime"`
	Role             string       `json:"Role"`
	Handler          string       `json:"Handler"`
	CodeSize         int64        `json:"CodeSize"`
	Description      string       `json:"Description"`
	Timeout          int          `json:"Timeout"`
	MemorySize       int          `json:"MemorySize"`
	LastModified     string       `json:"LastModified"`
	CodeSha256       string       `json:"CodeSha256"`
	Version          string       `json:"Version"`
	Environment      *environment `json:"Environment,omitempty"`
	RevisionID       string       `json:"RevisionId"`
	State            string       `json:"State"`
	LastUpdateStatus string       `json:"LastUpdateStatus"`
	PackageType      string       `json:"PackageType"`

	Architectures          json.RawMessage `json:"Architectures"`
	CapacityProviderConfig json.RawMessage `json:"CapacityProviderConfig,omitempty"`
	DeadLetterConfig       json.RawMessage `json:"DeadLetterConfig,omitempty"`
	DurableConfig          json.RawMessage `json:"DurableConfig,omitempty"`
	EphemeralStorage       json.RawMessage `json:"EphemeralStorage"`
	FileSystemConfigs      json.RawMessage `json:"FileSystemConfigs,omitempty"`
	KMSKeyArn              json.RawMessage `json:"KMSKeyArn,omitempty"`
	Layers                 []layer         `json:"Layers,omitempty"`
	LoggingConfig          loggingConfig   `json:"LoggingConfig"`
	SnapStart              snapStart       `json:"SnapStart"`
	TenancyConfig          json.RawMessage `json:"TenancyConfig,omitempty"`
	TracingConfig          json.RawMessage `json:"TracingConfig"`
	VPCConfig              *vpcConfig      `json:"VpcConfig,omitempty"`
}

type environment struct {
	Variables map[string]string `json:"Variables"`
}

type layer struct {
	Arn      string `json:"Arn"`
	CodeSize int64  `json:"CodeSize"`
}

type loggingConfig struct {
	LogFormat           string `json:"LogFormat,omitempty"`
	ApplicationLogLevel string `json:"ApplicationLogLevel,omitempty"`
	SystemLogLevel      string `json:"SystemLogLevel,omitempty"`
	LogGroup            string `json:"LogGroup,omitempty"`
}

type snapStart struct {
	ApplyOn            string `json:"ApplyOn"`
	OptimizationStatus string `json:"OptimizationStatus"`
}

type vpcConfig struct {
	SubnetIDs               []string `json:"SubnetIds"`
	SecurityGroupIDs        []string `json:"SecurityGroupIds"`
	VPCID                   string   `json:"VpcId"`
	IPv6AllowedForDualStack bool     `json:"Ipv6AllowedForDualStack"`
}

// settings are the members that are kept and shown and have no effect here. All but those that only shape a new function
// may be changed by UpdateFunctionConfiguration.
type settings struct {
	Architectures          json.RawMessage
	CapacityProviderConfig json.RawMessage
	DeadLetterConfig       json.RawMessage
	DurableConfig          json.RawMessage
	EphemeralStorage       json.RawMessage
	FileSystemConfigs      json.RawMessage
	KMSKeyArn              json.RawMessage
	Layers                 json.RawMessage
	LoggingConfig          json.RawMessage
	SnapStart              json.RawMessage
	TenancyConfig          json.RawMessage
	TracingConfig          json.RawMessage
	VpcConfig              json.RawMessage
	CodeSigningConfigArn   json.RawMessage
}

// keep puts the members that a request has into a function. Each must have the form in which it is shown.
func (s *settings) keep(f *apigw.Function) error {
	for name, v := range map[string]struct {
		value json.RawMessage
		form  any
	}{
		"Architectures":          {s.Architectures, new([]string)},
		"CapacityProviderConfig": {s.CapacityProviderConfig, new(map[string]any)},
		"CodeSigningConfigArn":   {s.CodeSigningConfigArn, new(string)},
		"DeadLetterConfig": {s.DeadLetterConfig, new(struct {
			TargetArn string
		})},
		"DurableConfig":     {s.DurableConfig, new(map[string]any)},
		"EphemeralStorage":  {s.EphemeralStorage, new(struct{ Size int })},
		"FileSystemConfigs": {s.FileSystemConfigs, new([]map[string]any)},
		"KMSKeyArn":         {s.KMSKeyArn, new(string)},
		"Layers":            {s.Layers, new([]string)},
		"LoggingConfig":     {s.LoggingConfig, new(loggingConfig)},
		"SnapStart":         {s.SnapStart, new(snapStart)},
		"TenancyConfig":     {s.TenancyConfig, new(map[string]any)},
		"TracingConfig":     {s.TracingConfig, new(struct{ Mode string })},
		"VpcConfig":         {s.VpcConfig, new(vpcConfig)},
	} {
		if v.value == nil {
			continue
		}
		if err := json.Unmarshal(v.value, v.form); err != nil {
			return &apigw.Error{Kind: apigw.KindBadRequest, Message: name + " has not the form that Lambda gives it", Err: err}
		}
		if err := functions.Set(f, name, v.value); err != nil {
			return err
		}
	}
	return nil
}

// configurationOf shows a function or version, with AWS's defaults. qualifier ends its ARN where it is not empty.
func configurationOf(f *apigw.Function, qualifier string) configuration {
	c := configuration{
		FunctionName: f.Name, FunctionArn: f.ARN, Runtime: f.Runtime, Role: f.Role, Handler: f.Handler, CodeSize: f.CodeSize,
		Description: f.Description, Timeout: int(f.Timeout.Seconds()), MemorySize: f.MemorySize,
		LastModified: f.LastModified.UTC().Format("2006-01-02T15:04:05.000-0700"), CodeSha256: codeHash(f), Version: f.Version,
		RevisionID: functions.Revision(f), State: "Active", LastUpdateStatus: "Successful", PackageType: "Zip",

		Architectures:          keptOr(f, "Architectures", `["x86_64"]`),
		CapacityProviderConfig: f.Settings["CapacityProviderConfig"],
		DeadLetterConfig:       f.Settings["DeadLetterConfig"],
		DurableConfig:          f.Settings["DurableConfig"],
		EphemeralStorage:       keptOr(f, "EphemeralStorage", `{"Size":512}`),
		FileSystemConfigs:      f.Settings["FileSystemConfigs"],
		KMSKeyArn:              f.Settings["KMSKeyArn"],
		TenancyConfig:          f.Settings["TenancyConfig"],
		TracingConfig:          keptOr(f, "TracingConfig", `{"Mode":"PassThrough"}`),
		LoggingConfig:          loggingConfig{LogFormat: "Text"},
		SnapStart:              snapStart{ApplyOn: "None"},
	}
	if qualifier != "" {
		c.FunctionArn += ":" + qualifier
	}
	if c.Version == "" {
		c.Version = apigw.VersionLatest
	}
	if c.Timeout == 0 {
		c.Timeout = int(apigw.QuotaFunctionTimeout / time.Second)
	}
	if c.MemorySize == 0 {
		c.MemorySize = apigw.QuotaFunctionMemory
	}
	if len(f.Environment) > 0 {
		c.Environment = &environment{f.Environment}
	}
	c.shape(f)
	return c
}

// shape fills in what is shown in another form than it is written, or with defaults inside. What keep has let pass can be
// read.
func (c *configuration) shape(f *apigw.Function) {
	var arns []string
	kept(f, "Layers", &arns)
	for _, arn := range arns {
		c.Layers = append(c.Layers, layer{Arn: arn})
	}
	kept(f, "LoggingConfig", &c.LoggingConfig)
	if c.LoggingConfig.LogGroup == "" {
		c.LoggingConfig.LogGroup = "/aws/lambda/" + f.Name
	}
	if c.LoggingConfig.LogFormat == "JSON" {
		c.LoggingConfig.ApplicationLogLevel = or(c.LoggingConfig.ApplicationLogLevel, "INFO")
		c.LoggingConfig.SystemLogLevel = or(c.LoggingConfig.SystemLogLevel, "INFO")
	}
	kept(f, "SnapStart", &c.SnapStart)
	c.SnapStart.OptimizationStatus = "Off"
	if f.Settings["VpcConfig"] != nil {
		c.VPCConfig = &vpcConfig{SubnetIDs: []string{}, SecurityGroupIDs: []string{}}
		kept(f, "VpcConfig", c.VPCConfig)
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func keptOr(f *apigw.Function, name, otherwise string) json.RawMessage {
	if v := f.Settings[name]; v != nil {
		return v
	}
	return json.RawMessage(otherwise)
}

// kept reads a setting into v, which stays as it is where there is none.
func kept(f *apigw.Function, name string, v any) {
	if raw := f.Settings[name]; raw != nil {
		_ = json.Unmarshal(raw, v) // keep has read it in the same form
	}
}

// codeHash is the CodeSha256 of a function. A folder has none, and gets that of its path.
func codeHash(f *apigw.Function) string {
	sum, err := hex.DecodeString(f.CodeSHA256)
	if err != nil || f.CodeSHA256 == "" {
		path := sha256.Sum256([]byte(f.CodeDir))
		sum = path[:]
	}
	return base64.StdEncoding.EncodeToString(sum)
}

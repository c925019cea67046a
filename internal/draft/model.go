package draft

import (
	"regexp"

	"cleat/internal/apigw"
	"cleat/internal/model"
)

// AddModel checks a model and puts it in (spec control-plane §9). Its schema is for CheckSchema to check, once all models
// are in to which it may refer.
func (d *API) AddModel(m apigw.Model) Problems {
	var p Problems
	if find(d.Now.Models, modelID, m.ModelID) == nil {
		p.mayAdd("Models", len(d.Now.Models), maxModels)
	}
	if !modelName.MatchString(m.Name) {
		p.Bad("name", "Model name must be alphanumeric: %s", m.Name)
	}
	for i := range d.Now.Models {
		if o := &d.Now.Models[i]; o.Name == m.Name && o.ModelID != m.ModelID {
			p.Add(apigw.KindConflict, "name", "Model with name %s already exists for this API", m.Name)
		}
	}
	if m.ContentType == "" {
		m.ContentType = "application/json"
	}
	p.length("contentType", m.ContentType, 256)
	p.length("description", m.Description, maxDescription)
	switch {
	case m.Schema == "":
		p.Bad("schema", "Schema is required")
	case len(m.Schema) > model.MaxSchema:
		p.Bad("schema", "schema is longer than %d characters", model.MaxSchema)
	}
	put(&d.Now.Models, modelID, m)
	return p
}

var modelName = regexp.MustCompile(`^[a-zA-Z0-9]{1,128}$`)

// CheckSchema checks the schema of a model that is in, with what it refers to. An API can do without (spec
// events-and-integrations §9).
func (d *API) CheckSchema(m *apigw.Model) Problems {
	var p Problems
	if d.Now.API.DisableSchemaValidation || m.Schema == "" || len(m.Schema) > model.MaxSchema {
		return nil // there is nothing to say, or it is said
	}
	if _, err := model.NewSet(d.Now.Models).Compile(m.Name); err != nil {
		p.Bad("schema", "Invalid model schema specified: %v", err)
	}
	return p
}

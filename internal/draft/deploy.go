package draft

import (
	"encoding/json"
	"slices"

	"cleat/internal/apigw"
)

// Deploy freezes the definition as it is into a deployment (spec control-plane §10). The same definition under the same
// seed gives the same deployment, with the date of the first time, so that nothing changes where nothing changed.
func (d *API) Deploy(seed, description string) (apigw.Deployment, Problems) {
	return d.deploy(seed, apigw.Deployment{Description: description})
}

func (d *API) deploy(seed string, dep apigw.Deployment) (apigw.Deployment, Problems) {
	var p Problems
	if len(d.Now.Routes) == 0 {
		p.Bad("", "At least one route is required before deploying the Api")
	}
	p.length("description", dep.Description, maxDescription)
	definition := d.Now.Definition()
	dep.DeploymentID = DeriveID(IDLength, seed, string(d.ID()), dep.Description, content(definition))
	dep.CreatedDate, dep.Status = d.at, "DEPLOYED"
	if d.before != nil {
		if old := find(d.before.Deployments, deploymentID, dep.DeploymentID); old != nil {
			dep.CreatedDate = old.CreatedDate
		}
	}
	if len(p) == 0 {
		put(&d.Now.Deployments, deploymentID, dep)
		if d.frozen == nil {
			d.frozen = map[string]apigw.Definition{}
		}
		d.frozen[dep.DeploymentID] = clone(definition)
	}
	return dep, p
}

// content is a definition as text, for a deployment's ID. Definitions hold nothing that JSON cannot say.
func content(def apigw.Definition) string {
	b, err := json.Marshal(def)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// clone keeps a deployment apart from the draft, whose slices go on changing.
func clone(def apigw.Definition) apigw.Definition {
	def.Routes = slices.Clone(def.Routes)
	def.RouteResponses = slices.Clone(def.RouteResponses)
	def.Integrations = slices.Clone(def.Integrations)
	def.IntegrationResponses = slices.Clone(def.IntegrationResponses)
	def.Authorizers = slices.Clone(def.Authorizers)
	def.Models = slices.Clone(def.Models)
	return def
}

// Frozen returns the definition of a deployment that this draft makes; ok is false for one that was there before.
func (d *API) Frozen(deployment string) (definition apigw.Definition, ok bool) {
	definition, ok = d.frozen[deployment]
	return definition, ok
}

// AutoDeploy points the stages with autoDeploy at a deployment of the definition as it is. It returns that deployment's
// ID, empty when there was none to make. Automatic deployments that no stage uses any more go.
func (d *API) AutoDeploy() string {
	var id string
	for i := range d.Now.Stages {
		s := &d.Now.Stages[i]
		if !s.AutoDeploy {
			continue
		}
		if len(d.Now.Routes) == 0 {
			s.DeploymentID, s.LastDeploymentStatusMessage = "", "Deployment attempt failed: At least one route is required before deploying the Api"
			continue
		}
		if id == "" {
			dep, _ := d.deploy("auto", apigw.Deployment{Description: "Automatic deployment triggered by changes to the Api configuration", AutoDeployed: true})
			id = dep.DeploymentID
		}
		if s.DeploymentID != id {
			s.DeploymentID, s.LastUpdatedDate = id, d.at
			s.LastDeploymentStatusMessage = "Successfully deployed stage with deployment ID '" + id + "'"
		}
	}
	drop(&d.Now.Deployments, func(dep *apigw.Deployment) bool {
		return dep.AutoDeployed && !slices.ContainsFunc(d.Now.Stages, func(s apigw.Stage) bool { return s.DeploymentID == dep.DeploymentID })
	})
	return id
}

// PointStage makes a stage serve a deployment.
func (d *API) PointStage(stage, deployment string) Problems {
	var p Problems
	s := find(d.Now.Stages, stageName, stage)
	switch {
	case s == nil:
		p.Add(apigw.KindNotFound, "stageName", "Invalid stage identifier specified")
	case s.AutoDeploy:
		p.Bad("stageName", "Deployment ID cannot be set on a stage with autoDeploy")
	case s.DeploymentID != deployment:
		s.DeploymentID, s.LastUpdatedDate = deployment, d.at
	}
	return p
}

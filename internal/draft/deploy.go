package draft

import (
	"slices"

	"cleat/internal/apigw"
	"cleat/internal/store"
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
	frozen := d.freeze()
	content, err := frozen.JSON()
	if err != nil {
		return dep, append(p, Failed(err)...)
	}
	dep.DeploymentID = deriveID(IDLength, []byte(seed), []byte(d.ID()), []byte(dep.Description), content)
	dep.CreatedDate, dep.Status = d.at, "DEPLOYED"
	if d.before != nil {
		if old := find(d.before.Deployments, deploymentID, dep.DeploymentID); old != nil {
			dep.CreatedDate = old.CreatedDate
		}
	}
	if len(p) == 0 {
		put(&d.Now.Deployments, deploymentID, dep)
		if d.frozen == nil {
			d.frozen = map[string]*store.Frozen{}
		}
		d.frozen[dep.DeploymentID] = frozen
	}
	return dep, p
}

// freeze makes the definition as it is one that stays. The draft shares its lists with it: without room at their ends they
// are copied by what puts something in, as by all that changes a list.
func (d *API) freeze() *store.Frozen {
	clip(&d.Now.Routes)
	clip(&d.Now.RouteResponses)
	clip(&d.Now.Integrations)
	clip(&d.Now.IntegrationResponses)
	clip(&d.Now.Authorizers)
	clip(&d.Now.Models)
	definition := d.Now.Definition()
	return store.Freeze(&definition)
}

// Frozen returns the definition of a deployment that this draft makes; it is nil for one that was there before.
func (d *API) Frozen(deployment string) *store.Frozen { return d.frozen[deployment] }

// AutoDeploy points the stages with autoDeploy at a deployment of the definition as it is. It returns that deployment's
// ID, empty when there was none to make. Automatic deployments that no stage uses any more go.
func (d *API) AutoDeploy() string {
	var id string
	d.Now.Stages = slices.Clone(d.Now.Stages)
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
		changed := *s
		changed.DeploymentID, changed.LastUpdatedDate = deployment, d.at
		put(&d.Now.Stages, stageName, changed)
	}
	return p
}

package lambdaapi

import "cleat/internal/controlapi"

// tagged is the function that a call about tags names by its ARN.
func (s *service) tagged(c *controlapi.Call) (target, error) {
	at, err := s.target(c, c.Path("Resource"))
	if err == nil && at.qualifier != "" {
		err = invalid("Tags on function aliases and versions are not supported. Please specify a function ARN.")
	}
	return at, err
}

func (s *service) listTags(c *controlapi.Call) (controlapi.Answer, error) {
	at, err := s.tagged(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	t, err := s.Functions.Tree(c.Context, at.name, at.arn)
	if err != nil {
		return controlapi.Answer{}, err
	}
	tags := t.Function.Tags
	if tags == nil {
		tags = map[string]string{}
	}
	return controlapi.OK(map[string]any{"Tags": tags}), nil
}

func (s *service) tagResource(c *controlapi.Call) (controlapi.Answer, error) {
	var in struct{ Tags map[string]string }
	if err := c.JSON(&in); err != nil {
		return controlapi.Answer{}, err
	}
	at, err := s.tagged(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.NoContent(), s.Functions.Tag(c.Context, at.name, at.arn, in.Tags, nil)
}

func (s *service) untagResource(c *controlapi.Call) (controlapi.Answer, error) {
	at, err := s.tagged(c)
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.NoContent(), s.Functions.Tag(c.Context, at.name, at.arn, nil, c.Request.URL.Query()["tagKeys"])
}

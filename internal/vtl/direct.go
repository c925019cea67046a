package vtl

import "cleat/internal/apigw"

// contextText is the variable of $context that the reference names, if printing it is all that it takes to read it: nil
// where it is none, and for one behind backslashes.
func (f *reference) contextText() func(*apigw.RequestContext) (string, bool) {
	if f.slot != slotContext || f.escapes > 0 || len(f.links) == 0 || f.links[0].kind != linkProperty {
		return nil
	}
	switch name := f.links[0].name; {
	case len(f.links) == 1:
		return apigw.ContextText(name)
	case len(f.links) == 2 && name == identityObject && f.links[1].kind == linkProperty:
		return apigw.ContextText(name + "." + f.links[1].name)
	}
	return nil
}

// direct is the text of a reference that has one for this event and that the template has not put anything else in the
// place of. It is what evaluating and printing come to, without a value, and counts the same steps.
func (f *reference) direct(r *renderer) (string, bool) {
	if f.text == nil || r.vars[slotContext] != nil {
		return "", false
	}
	if r.context != nil {
		if _, touched := r.context.made.Get(f.links[0].name); touched {
			return "", false
		}
	}
	text, ok := f.text(&r.in.Event.Context)
	if ok {
		r.step(f.at, 1)
		for i := range f.links {
			r.step(f.links[i].at, 1)
		}
	}
	return text, ok
}

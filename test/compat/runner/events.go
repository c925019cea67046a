package runner

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"cleat/test/compat/scenario"
)

// event compares the next call of a function with what the step expects. It tells the client's connection ID.
func (r *run) event(st *scenario.Step) error {
	c, ok := r.stage.next(st.Arg, r.o.Patience)
	if !ok {
		return fmt.Errorf("function %s was not called", st.Arg)
	}
	got := string(c.body)
	if id := gjson.Get(got, "requestContext.connectionId").Str; id != "" {
		r.vars.Learn("connectionId", st.Client, id)
	}
	var errs []error
	text, first, last := "", 0, 0
	for _, l := range st.Lines {
		switch l.Word {
		case "text":
			if text += l.Text; first == 0 {
				first = l.Line
			}
			last = l.Line
		case "header":
			errs = append(errs, r.match(l.Line, "header "+l.Name, "  header "+l.Name+": ", l.Text, strings.Join(c.header.Values(l.Name), ", ")))
		default:
			errs = append(errs, r.member(l, "  ", got))
		}
	}
	if first > 0 {
		if err := r.vars.Match(text, got); err != nil {
			errs = append(errs, &failure{first, "event of " + st.Arg + ":\n" + err.Error(), &Edit{first, last, wrap(r.vars.Template(got))}})
		}
	}
	return errors.Join(errs...)
}

// wrap breaks JSON behind commas, for a reader's eyes; the lines are joined without a blank when they are read.
func wrap(text string) []string {
	const width = 110
	var out []string
	for len(text) > width {
		cut := strings.LastIndexByte(text[:width], ',') + 1
		if cut == 0 || text[cut] == ' ' || strings.HasPrefix(text[cut:], "#") {
			break
		}
		out, text = append(out, "  "+text[:cut]), text[cut:]
	}
	return append(out, "  "+text)
}

// backendRequest compares the next request to a path of the HTTP backend with what the step expects.
func (r *run) backendRequest(st *scenario.Step) error {
	path, err := r.vars.Expand(st.Arg)
	if err != nil {
		return err
	}
	c, ok := r.stage.next(path, r.o.Patience)
	if !ok {
		return fmt.Errorf("nothing was sent to %s", path)
	}
	var errs []error
	var listed []string
	read := map[string]int{}
	for _, l := range st.Lines {
		switch name := strings.ToLower(l.Name); l.Word {
		case "header":
			listed = append(listed, name)
			errs = append(errs, r.requestHeader(l, c.header.Values(l.Name), read[name]))
			read[name]++
		case "no":
			if values := c.header.Values(l.Name); len(values) > 0 {
				errs = append(errs, &failure{line: l.Line, text: fmt.Sprintf("there is a header %s: %s", l.Name, values[0])})
			}
		case "method", "query", "body":
			got := map[string]string{"method": c.method, "query": c.query, "body": string(c.body)}[l.Word]
			errs = append(errs, r.match(l.Line, l.Word, "  "+l.Word+" ", l.Text, got))
		case "empty":
			if len(c.body) > 0 {
				errs = append(errs, &failure{line: l.Line, text: "got a body: " + scenario.Escape(string(c.body))})
			}
		case "has", "lacks":
			errs = append(errs, r.member(l, "  ", string(c.body)))
		}
	}
	return errors.Join(append(errs, onlyThese(st, c, listed))...)
}

// requestHeader compares the nth line of a header.
func (r *run) requestHeader(l scenario.Line, values []string, n int) error {
	if n >= len(values) {
		return &failure{line: l.Line, text: fmt.Sprintf("there is no header %s: %s, it has %d lines", l.Name, l.Text, len(values))}
	}
	return r.match(l.Line, "header "+l.Name, "  header "+l.Name+": ", l.Text, values[n])
}

// onlyThese looks for headers that an "only" does not allow.
func onlyThese(st *scenario.Step, c *call, listed []string) error {
	i := slices.IndexFunc(st.Lines, func(l scenario.Line) bool { return l.Word == "only" })
	if i < 0 {
		return nil
	}
	var errs []error
	for name, values := range c.header {
		if !slices.Contains(listed, strings.ToLower(name)) {
			errs = append(errs, &failure{line: st.Lines[i].Line, text: fmt.Sprintf("there is a header more: %s: %s", name, strings.Join(values, ", "))})
		}
	}
	return errors.Join(errs...)
}

package cfn

import (
	"errors"
	"fmt"
	"slices"
)

// Places are where the parts of a value were written, apart from the value: they go along with it where it is sent as JSON,
// so that faults found elsewhere name the user's own file and line.
type Places struct {
	Files []string `json:"files"`
	// At has three numbers for each value, in the order of the JSON text, and before the value of a map's entry three for its
	// key: the file as an index into Files, the line, the column.
	At []int `json:"at"`
}

// PlacesOf returns the places of a value.
func PlacesOf(v *Value) Places {
	c := placeCollector{index: map[string]int{}}
	c.value(v)
	return c.p
}

type placeCollector struct {
	p     Places
	index map[string]int
}

func (c *placeCollector) add(at Place) {
	i, known := c.index[at.File]
	if !known {
		i = len(c.p.Files)
		c.index[at.File] = i
		c.p.Files = append(c.p.Files, at.File)
	}
	c.p.At = append(c.p.At, i, at.Line, at.Column)
}

func (c *placeCollector) value(v *Value) {
	c.add(v.At())
	if v == nil {
		return
	}
	for _, item := range v.Items {
		c.value(item)
	}
	for _, e := range v.Keys {
		c.add(e.Place)
		c.value(e.Value)
	}
}

// errPlaces says that places are not those of the value that they came with.
var errPlaces = errors.New("the places are not those of the template")

// Put returns a copy of a value with these places. It fails when they are another value's.
func (p Places) Put(v *Value) (*Value, error) {
	if len(p.At)%3 != 0 {
		return nil, errPlaces
	}
	r := placeReader{p: p}
	out, err := r.value(v)
	if err == nil && r.next != len(p.At) {
		err = errPlaces
	}
	return out, err
}

type placeReader struct {
	p    Places
	next int
}

func (r *placeReader) take() (Place, error) {
	if r.next+3 > len(r.p.At) {
		return Place{}, errPlaces
	}
	file, line, column := r.p.At[r.next], r.p.At[r.next+1], r.p.At[r.next+2]
	r.next += 3
	if file < 0 || file >= len(r.p.Files) || line < 0 || column < 0 {
		return Place{}, fmt.Errorf("%w: there is no file %d, line %d, column %d", errPlaces, file, line, column)
	}
	return Place{File: r.p.Files[file], Line: line, Column: column}, nil
}

func (r *placeReader) value(v *Value) (*Value, error) {
	at, err := r.take()
	if err != nil || v == nil {
		return nil, err
	}
	out := &Value{Kind: v.Kind, Text: v.Text, Place: at, Items: slices.Clone(v.Items), Keys: slices.Clone(v.Keys)}
	for i := range out.Items {
		if out.Items[i], err = r.value(out.Items[i]); err != nil {
			return nil, err
		}
	}
	for i := range out.Keys {
		if out.Keys[i].Place, err = r.take(); err != nil {
			return nil, err
		}
		if out.Keys[i].Value, err = r.value(out.Keys[i].Value); err != nil {
			return nil, err
		}
	}
	return out, nil
}

package golden

import (
	"encoding/json"
	"fmt"
	"strings"

	"cleat/internal/cfn"
)

// Value is a value as JSON in the value's own order, short lists and maps on one line.
func Value(v *cfn.Value) string {
	var b strings.Builder
	showValue(&b, v, "")
	return b.String()
}

func showValue(b *strings.Builder, v *cfn.Value, indent string) {
	switch {
	case v == nil || v.Kind == cfn.Null:
		b.WriteString("null")
	case v.Kind == cfn.String:
		text, err := json.Marshal(v.Text)
		if err != nil {
			panic(err)
		}
		b.Write(text)
	case v.Kind != cfn.List && v.Kind != cfn.Map:
		b.WriteString(v.Text)
	default:
		var short strings.Builder
		showItems(&short, v, "", "")
		if short.Len() < 150 {
			b.WriteString(short.String())
			return
		}
		showItems(b, v, "\n"+indent+"  ", indent+"  ")
	}
}

func showItems(b *strings.Builder, v *cfn.Value, sep, indent string) {
	open, end := "[", "]"
	if v.Kind == cfn.Map {
		open, end = "{", "}"
	}
	b.WriteString(open)
	for i := range len(v.Items) + len(v.Keys) {
		if i > 0 {
			b.WriteByte(',')
			if sep == "" {
				b.WriteByte(' ')
			}
		}
		b.WriteString(sep)
		if v.Kind == cfn.List {
			showValue(b, v.Items[i], indent)
			continue
		}
		fmt.Fprintf(b, "%q: ", v.Keys[i].Key)
		showValue(b, v.Keys[i].Value, indent)
	}
	if sep != "" {
		b.WriteString(strings.TrimSuffix(sep, "  "))
	}
	b.WriteString(end)
}

package variable_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"cleat/internal/variable"
)

func TestParseEnv(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text string
		want []variable.EnvVar
		bad  int
	}{
		"plain":             {text: "A=b\nC = d e \n", want: []variable.EnvVar{{"A", "b"}, {"C", "d e"}}},
		"export":            {text: "export A=b\n\texport\tB=c", want: []variable.EnvVar{{"A", "b"}, {"B", "c"}}},
		"comments":          {text: "# x\nA=b # c\nB=#\nC=a#b\n  # y\n", want: []variable.EnvVar{{"A", "b"}, {"B", ""}, {"C", "a#b"}}},
		"quotes":            {text: "A='b # c'\nB=\"d # e\" # f\nC=`it's`\n", want: []variable.EnvVar{{"A", "b # c"}, {"B", "d # e"}, {"C", "it's"}}},
		"escapes":           {text: `A="x\ny\"z"` + "\n" + `B='x\ny'`, want: []variable.EnvVar{{"A", "x\ny\"z"}, {"B", `x\ny`}}},
		"several lines":     {text: "KEY=\"-----BEGIN\nabc=\n-----END\"\nB=c", want: []variable.EnvVar{{"KEY", "-----BEGIN\nabc=\n-----END"}, {"B", "c"}}},
		"quote never ends":  {text: "A='b\nB=c", want: []variable.EnvVar{{"A", "'b"}, {"B", "c"}}},
		"colon":             {text: "A: b\nC:d", want: []variable.EnvVar{{"A", "b"}}, bad: 1},
		"empty":             {text: "A=\nB=''\n", want: []variable.EnvVar{{"A", ""}, {"B", ""}}},
		"rubbish":           {text: "hello\n=x\nA=b\n9=1", want: []variable.EnvVar{{"A", "b"}}, bad: 3},
		"Windows":           {text: "\ufeffA=b\r\nC=d\r\n", want: []variable.EnvVar{{"A", "b"}, {"C", "d"}}},
		"equals in a value": {text: "URL=postgres://u:p@h/db?x=y&z=1", want: []variable.EnvVar{{"URL", "postgres://u:p@h/db?x=y&z=1"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, bad := variable.ParseEnv(tt.text)
			if !slices.Equal(got, tt.want) || bad != tt.bad {
				t.Errorf("got %q and %d bad lines, want %q and %d", got, bad, tt.want, tt.bad)
			}
		})
	}
}

func TestExpandEnv(t *testing.T) {
	t.Parallel()
	text := "A=1\nB=${A}2\nC=$B-$NONE-${NONE:-three}-${A:-x}\nD=\\$A\nE='$A'\nF=$HOME\nG=${A\n"
	want := map[string]string{"A": "1", "B": "12", "C": "12--three-1", "D": "$A", "E": "$A", "F": "/h", "G": "${A"}
	if got := variable.ExpandEnv(text, map[string]string{"HOME": "/h"}); !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// References that multiply must not take the machine's memory.
func TestExpandEnvIsBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("A=0123456789\n")
	for range 40 {
		b.WriteString("A=$A$A$A$A$A$A$A$A$A$A\n")
	}
	if n := len(variable.ExpandEnv(b.String(), nil)["A"]); n > 20<<20 {
		t.Errorf("the value has %d bytes", n)
	}
}

func FuzzEnv(f *testing.F) {
	for _, s := range []string{"A=b", "export A=\"b\nc\" # d\nE: f", "A='b", "A=${B:-c}$D\\$E", "\ufeffA=`x`\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		vars, _ := variable.ParseEnv(s)
		for _, v := range vars {
			if v.Name == "" || strings.ContainsAny(v.Name, "= \n") {
				t.Errorf("a variable is named %q", v.Name)
			}
		}
		variable.ExpandEnv(s, map[string]string{"B": "x"})
	})
}

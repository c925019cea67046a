package vtl_test

import (
	"strconv"
	"strings"
	"testing"

	"cleat/internal/vtl"
)

// template20 has 20 lines and most of what templates have: variables, conditions, a loop, paths, escapes.
const template20 = `#set($root = $input.path('$'))
#set($user = $root.user)
#set($room = $input.path('$.data.room'))
#set($ttl = $context.requestTimeEpoch / 1000 + 86400)
{
  "id": "$context.connectionId",
  "route": "$context.routeKey",
  "stage": "$context.stage-$stageVariables.env",
  "from": "$util.escapeJavaScript($user.name)",
  #if($room == 'blue' || $user.age > 60)
  "room": "$room.toUpperCase()",
  #else
  "room": "$room",
  #end
  "ttl": $ttl,
  "first": [
  #foreach($item in $root.data.items)
    {"n": $foreach.count, "t": "$item.t"}#if($foreach.hasNext),#end
  #end
  ], "meta": $input.json('$.meta')}`

// body4KB is a message of 4 KB: some fields, eight items with texts, and one long text, as clients send.
func body4KB() string {
	var b strings.Builder
	b.WriteString(`{"action":"say","user":{"name":"Ann O'Hara","age":30},"meta":{"v":1,"tags":["a","b"]},"data":{"room":"blue","items":[`)
	for i := range 8 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"id":` + strconv.Itoa(i) + `,"t":"cup of tea","price":2.5,"ok":true,"note":"` + strings.Repeat("lorem ipsum ", 20) + `"}`)
	}
	b.WriteString(`],"text":"`)
	b.WriteString(strings.Repeat("all work and no play ", (4096-b.Len()-4)/21))
	b.WriteString(`"}}`)
	return b.String()
}

// BenchmarkRender: a template of 20 lines on a body of 4 KB, which is parsed anew each time, as each message is.
func BenchmarkRender(b *testing.B) {
	template, err := vtl.Parse(template20)
	if err != nil {
		b.Fatal(err)
	}
	body := []byte(body4KB())
	in := testInput("")
	out := make([]byte, 0, 4096)
	b.ReportAllocs()
	b.ReportMetric(float64(len(body)), "bytes/body")
	for b.Loop() {
		in.Payload = vtl.NewPayload(body)
		if out, err = template.Render(out[:0], in); err != nil {
			b.Fatal(err)
		}
	}
}

// TestRenderAllocates: half of it is the document of the message, a value for each text and number in it.
func TestRenderAllocates(t *testing.T) {
	template, err := vtl.Parse(template20)
	if err != nil {
		t.Fatal(err)
	}
	body, in, out := []byte(body4KB()), testInput(""), make([]byte, 0, 4096)
	n := testing.AllocsPerRun(100, func() {
		in.Payload = vtl.NewPayload(body)
		if out, err = template.Render(out[:0], in); err != nil {
			t.Fatal(err)
		}
	})
	if most := 64.0; n > most {
		t.Errorf("%v allocations, want %v at most", n, most)
	}
}

// BenchmarkLiteral: what a template without references costs.
func BenchmarkLiteral(b *testing.B) {
	template, err := vtl.Parse(`{"statusCode": 200}`)
	if err != nil {
		b.Fatal(err)
	}
	in := testInput("")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := template.Render(nil, in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := vtl.Parse(template20); err != nil {
			b.Fatal(err)
		}
	}
}

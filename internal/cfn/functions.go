package cfn

import (
	"encoding/base64"
	"math/big"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// fault notes a fault and returns what a value with a fault is.
func (e *Evaluator) fault(at Place, format string, args ...any) *Value {
	e.faults.Addf(at, format, args...)
	return nil
}

// call evaluates one intrinsic function with its argument, which is not yet evaluated. It returns nil for AWS::NoValue
// and after a fault.
func (e *Evaluator) call(name string, arg *Value, at Place) *Value {
	switch name {
	case "Ref":
		if !arg.Is(String) {
			return e.fault(at, "Ref wants the name of a parameter or a resource")
		}
		return e.ref(arg.Text, at)
	case "Fn::GetAtt":
		return e.getAtt(arg, at)
	case "Fn::Sub":
		return e.sub(arg, at)
	case "Fn::Join":
		return e.join(arg, at)
	case "Fn::Select":
		return e.selectItem(arg, at)
	case "Fn::Split":
		return e.split(arg, at)
	case "Fn::If":
		return e.choose(arg, at)
	case "Fn::And", "Fn::Or", "Fn::Not", "Fn::Equals":
		return BoolOf(at, e.boolean(MapOf(at, name, arg)))
	case "Fn::FindInMap":
		return e.findInMap(arg, at)
	case "Fn::ImportValue":
		return e.importValue(arg, at)
	case "Fn::Base64":
		if s, ok := e.text(arg, at, name); ok {
			return e.makeText(at, base64.StdEncoding.EncodeToString([]byte(s)))
		}
		return nil
	case "Fn::GetAZs":
		return e.getAZs(arg, at)
	case "Fn::Cidr":
		return e.cidr(arg, at)
	case "Fn::Transform":
		return e.fault(at, "the macro %s is not run here", arg.Get("Name").Str())
	case "Fn::Length":
		if list := e.value(arg); list.Is(List) {
			return NumberOf(at, len(list.Items))
		}
		return e.fault(at, "Fn::Length wants a list")
	case "Fn::ToJsonString":
		v := e.value(arg)
		if !v.Is(Map) && !v.Is(List) {
			return e.fault(at, "Fn::ToJsonString wants a map or a list")
		}
		return e.makeText(at, string(v.AppendJSON(nil)))
	}
	return e.fault(at, "%s is not an intrinsic function that is evaluated here", name)
}

// makeText returns a text that evaluation made, within bounds.
func (e *Evaluator) makeText(at Place, s string) *Value {
	if e.made += len(s); len(s) > maxText || e.made > maxTexts {
		return e.fault(at, "the text made here is too long: at most %d bytes, and %d for all of a template", maxText, maxTexts)
	}
	return TextOf(at, s)
}

// text evaluates v to a text, a number or a boolean; what names the function for the fault.
func (e *Evaluator) text(v *Value, at Place, what string) (string, bool) {
	before := len(e.faults)
	s, ok := e.value(v).Scalar()
	if !ok && len(e.faults) == before {
		e.fault(at, "%s wants a text here", what)
	}
	return s, ok
}

// ref resolves a name as Ref and Fn::Sub do.
func (e *Evaluator) ref(name string, at Place) *Value {
	if strings.HasPrefix(name, "AWS::") {
		return e.pseudo(name, at)
	}
	if p, ok := e.parameters[name]; ok {
		if stored := e.unknown[name]; stored != "" {
			return e.fault(at, "parameter %s is kept in SSM under the name %s, where only AWS looks it up: give the parameter its value (--param %s=…)", name, stored, name)
		}
		v := *p
		v.Place = at
		return &v
	}
	return e.attribute(name, "", at)
}

func (e *Evaluator) pseudo(name string, at Place) *Value {
	switch name {
	case "AWS::Region":
		return TextOf(at, e.env.Region)
	case "AWS::AccountId":
		return TextOf(at, e.env.Account)
	case "AWS::Partition":
		return TextOf(at, e.env.Partition)
	case "AWS::StackName":
		return TextOf(at, e.env.StackName)
	case "AWS::StackId":
		return TextOf(at, e.env.StackID)
	case "AWS::URLSuffix":
		return TextOf(at, e.env.URLSuffix)
	case "AWS::NoValue":
		return nil
	case "AWS::NotificationARNs":
		list := ListOf(at)
		for _, arn := range e.env.NotificationARNs {
			list.Items = append(list.Items, TextOf(at, arn))
		}
		return list
	}
	return e.fault(at, "%s is not a pseudo parameter", name)
}

// attribute is Ref, for an empty attribute, or Fn::GetAtt of a resource.
func (e *Evaluator) attribute(id, attribute string, at Place) *Value {
	r := e.template.Resource(id)
	switch {
	case r == nil && attribute == "":
		return e.fault(at, "%s is neither a parameter nor a resource of the template", id)
	case r == nil:
		return e.fault(at, "%s is not a resource of the template", id)
	case !e.active(r):
		return e.fault(at, "refers to %s, which is left out because its condition %s is false", id, r.Condition)
	case e.env.Attribute == nil:
		return e.fault(at, "resource %s cannot be referred to here", id)
	}
	v, err := e.env.Attribute(r, attribute)
	if err != nil {
		return e.fault(at, "%v", err)
	}
	if v == nil {
		return nil
	}
	moved := *v
	moved.Place = at
	return &moved
}

func (e *Evaluator) getAtt(arg *Value, at Place) *Value {
	switch {
	case arg.Is(String):
		if id, attribute, ok := strings.Cut(arg.Text, "."); ok && id != "" && attribute != "" {
			return e.attribute(id, attribute, at)
		}
	case arg.Is(List) && len(arg.Items) == 2 && arg.Items[0].Is(String):
		if attribute, ok := e.text(arg.Items[1], at, "Fn::GetAtt"); ok && attribute != "" {
			return e.attribute(arg.Items[0].Text, attribute, at)
		}
	}
	return e.fault(at, "Fn::GetAtt wants a resource and its attribute, as [Resource, Attribute] or Resource.Attribute")
}

func (e *Evaluator) sub(arg *Value, at Place) *Value {
	text, variables := arg, (*Value)(nil)
	if arg.Is(List) && len(arg.Items) == 2 && arg.Items[1].Is(Map) {
		text, variables = arg.Items[0], arg.Items[1]
	}
	s, ok := text.Scalar()
	if !ok {
		return e.fault(at, "Fn::Sub wants a text, or a list of a text and a map of variables")
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "${")
		b.WriteString(before)
		if !found {
			return e.makeText(at, b.String())
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return e.fault(at, "Fn::Sub: ${%s lacks its }", abbreviate(rest))
		}
		s = after
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			b.WriteString("${" + literal + "}")
			continue
		}
		v, ok := e.subVariable(strings.TrimSpace(name), variables, at)
		if !ok {
			return nil
		}
		if b.WriteString(v); b.Len() > maxText {
			return e.makeText(at, b.String())
		}
	}
}

// subVariable is what ${name} stands for.
func (e *Evaluator) subVariable(name string, variables *Value, at Place) (string, bool) {
	before := len(e.faults)
	var v *Value
	switch own := variables.Get(name); {
	case own != nil:
		v = e.value(own)
	case strings.HasPrefix(name, "AWS::"), !strings.Contains(name, "."):
		v = e.ref(name, at)
	default:
		id, attribute, _ := strings.Cut(name, ".")
		v = e.attribute(id, attribute, at)
	}
	s, ok := v.Scalar()
	switch {
	case ok:
	case len(e.faults) > before:
		e.fault(at, "… in Fn::Sub, as ${%s}; a literal ${%s} is written ${!%s}", name, name, name)
	default:
		e.fault(at, "Fn::Sub: ${%s} is not a text", name)
	}
	return s, ok
}

func abbreviate(s string) string {
	if len(s) > 20 {
		return strings.ToValidUTF8(s[:20], "") + "…"
	}
	return s
}

// items evaluates a list argument of the wanted length; ok is false after a fault.
func (e *Evaluator) items(arg *Value, at Place, want string, lengths ...int) ([]*Value, bool) {
	if arg.Is(List) && slices.Contains(lengths, len(arg.Items)) {
		return arg.Items, true
	}
	e.fault(at, "%s", want)
	return nil, false
}

// list evaluates v to a list.
func (e *Evaluator) list(v *Value, at Place, what string) ([]*Value, bool) {
	before := len(e.faults)
	list := e.value(v)
	if list.Is(List) {
		return list.Items, true
	}
	if len(e.faults) == before {
		e.fault(at, "%s wants a list here", what)
	}
	return nil, false
}

func (e *Evaluator) join(arg *Value, at Place) *Value {
	args, ok := e.items(arg, at, "Fn::Join wants [delimiter, list]", 2)
	if !ok {
		return nil
	}
	delimiter, ok1 := e.text(args[0], at, "Fn::Join")
	list, ok2 := e.list(args[1], at, "Fn::Join")
	if !ok1 || !ok2 {
		return nil
	}
	var b strings.Builder
	for i, item := range list {
		s, ok := item.Scalar()
		if !ok {
			return e.fault(item.At(), "Fn::Join: item %d is not a text", i+1)
		}
		if i > 0 {
			b.WriteString(delimiter)
		}
		if b.WriteString(s); b.Len() > maxText {
			break
		}
	}
	return e.makeText(at, b.String())
}

func (e *Evaluator) selectItem(arg *Value, at Place) *Value {
	args, ok := e.items(arg, at, "Fn::Select wants [index, list]", 2)
	if !ok {
		return nil
	}
	index, ok1 := e.text(args[0], at, "Fn::Select")
	list, ok2 := e.list(args[1], at, "Fn::Select")
	if !ok1 || !ok2 {
		return nil
	}
	n, err := strconv.Atoi(index)
	switch {
	case err != nil:
		return e.fault(at, "Fn::Select: the index %q is not a number", index)
	case n < 0 || n >= len(list):
		return e.fault(at, "Fn::Select: there is no item %d in a list of %d", n, len(list))
	}
	return list[n]
}

// splitSteps is what an item counts that Fn::Split makes: it stays in memory, where most steps leave nothing.
const splitSteps = 10

func (e *Evaluator) split(arg *Value, at Place) *Value {
	args, ok := e.items(arg, at, "Fn::Split wants [delimiter, text]", 2)
	if !ok {
		return nil
	}
	delimiter, ok1 := e.text(args[0], at, "Fn::Split")
	s, ok2 := e.text(args[1], at, "Fn::Split")
	switch {
	case !ok1 || !ok2:
		return nil
	case delimiter == "":
		return e.fault(at, "Fn::Split: the delimiter is empty")
	case strings.Count(s, delimiter) >= maxNodes:
		return e.fault(at, "Fn::Split: more than %d items", maxNodes)
	}
	list := ListOf(at)
	if !e.spend(at, splitSteps*strings.Count(s, delimiter)) {
		return nil
	}
	for item := range strings.SplitSeq(s, delimiter) {
		list.Items = append(list.Items, TextOf(at, item))
	}
	return list
}

// choose is Fn::If. Only the branch taken is evaluated.
func (e *Evaluator) choose(arg *Value, at Place) *Value {
	branch, ok := e.branch(arg, at)
	if !ok {
		return nil
	}
	return e.value(branch)
}

// branch returns the branch that an Fn::If takes, not yet evaluated.
func (e *Evaluator) branch(arg *Value, at Place) (*Value, bool) {
	args, ok := e.items(arg, at, "Fn::If wants [condition, value if true, value if false]", 3)
	if !ok {
		return nil, false
	}
	if !args[0].Is(String) {
		e.fault(at, "Fn::If wants the name of a condition first")
		return nil, false
	}
	if e.condition(args[0].Text, at) {
		return args[1], true
	}
	return args[2], true
}

// boolean evaluates a condition's expression.
func (e *Evaluator) boolean(v *Value) bool {
	if v.Is(Bool) {
		return v.Text == "true"
	}
	if !v.Is(Map) || len(v.Keys) != 1 {
		e.fault(v.At(), "a condition must be one of Fn::Equals, Fn::And, Fn::Or, Fn::Not and Condition")
		return false
	}
	arg, at := v.Keys[0].Value, v.Place
	switch name := v.Keys[0].Key; name {
	case "Condition":
		if !arg.Is(String) {
			e.fault(at, "Condition wants the name of a condition")
			return false
		}
		return e.condition(arg.Text, at)
	case "Fn::Equals":
		args, ok := e.items(arg, at, "Fn::Equals wants two values", 2)
		if !ok {
			return false
		}
		a, b := e.value(args[0]), e.value(args[1])
		return string(a.comparable()) == string(b.comparable())
	case "Fn::Not":
		args, ok := e.items(arg, at, "Fn::Not wants a list of one condition", 1)
		return ok && !e.boolean(args[0])
	case "Fn::And", "Fn::Or":
		args, ok := e.items(arg, at, name+" wants a list of 2 to 10 conditions", 2, 3, 4, 5, 6, 7, 8, 9, 10)
		all, any := true, false
		for _, a := range args {
			b := e.boolean(a)
			all, any = all && b, any || b
		}
		if name == "Fn::And" {
			return ok && all
		}
		return any
	default:
		e.fault(at, "%s is not a condition: want Fn::Equals, Fn::And, Fn::Or, Fn::Not or Condition", name)
		return false
	}
}

// comparable is what Fn::Equals compares: scalars are equal when their texts are, so that 1 equals "1".
func (v *Value) comparable() []byte {
	if s, ok := v.Scalar(); ok {
		return appendJSONText(nil, s)
	}
	return v.AppendJSON(nil)
}

func (e *Evaluator) findInMap(arg *Value, at Place) *Value {
	args, ok := e.items(arg, at, "Fn::FindInMap wants [map, first key, second key]", 3, 4)
	if !ok {
		return nil
	}
	var keys [3]string
	for i := range keys {
		if keys[i], ok = e.text(args[i], at, "Fn::FindInMap"); !ok {
			return nil
		}
	}
	found := e.template.Mappings.Path(keys[:]...)
	switch {
	case found != nil: // literal: ReadTemplate has seen to it
		return found
	case len(args) == 4 && args[3].Get("DefaultValue") != nil:
		return e.value(args[3].Get("DefaultValue"))
	}
	return e.fault(at, "Fn::FindInMap: the mapping %s has no %s, %s", keys[0], keys[1], keys[2])
}

func (e *Evaluator) importValue(arg *Value, at Place) *Value {
	name, ok := e.text(arg, at, "Fn::ImportValue")
	switch {
	case !ok:
		return nil
	case e.env.Import == nil:
		return e.fault(at, "Fn::ImportValue: no other stack is known that exports %s", name)
	}
	v, err := e.env.Import(name)
	if err != nil {
		return e.fault(at, "Fn::ImportValue: %v", err)
	}
	return v
}

func (e *Evaluator) getAZs(arg *Value, at Place) *Value {
	region, ok := e.text(arg, at, "Fn::GetAZs")
	if !ok {
		return nil
	}
	if region == "" {
		region = e.env.Region
	}
	list := ListOf(at)
	for _, zone := range []string{"a", "b", "c"} {
		list.Items = append(list.Items, TextOf(at, region+zone))
	}
	return list
}

// maxBlocks is how many blocks Fn::Cidr makes at most.
const maxBlocks = 256

// cidr is Fn::Cidr: blocks of addresses one after the other within a larger one.
func (e *Evaluator) cidr(arg *Value, at Place) *Value {
	args, ok := e.items(arg, at, "Fn::Cidr wants [block of addresses, how many, bits of each]", 2, 3)
	if !ok {
		return nil
	}
	block, ok := e.text(args[0], at, "Fn::Cidr")
	if !ok {
		return nil
	}
	numbers := []int{0, 8}
	for i, a := range args[1:] {
		s, ok := e.text(a, at, "Fn::Cidr")
		if !ok {
			return nil
		}
		n, err := strconv.Atoi(s)
		if err != nil {
			return e.fault(at, "Fn::Cidr: %q is not a whole number", s)
		}
		numbers[i] = n
	}
	count, bits := numbers[0], numbers[1]
	prefix, err := netip.ParsePrefix(block)
	if err != nil {
		return e.fault(at, "Fn::Cidr: %q is not a block of addresses, such as 10.0.0.0/16", block)
	}
	prefix = prefix.Masked()
	length := prefix.Addr().BitLen() - bits
	room := length - prefix.Bits() // of the block, in bits
	if count < 1 || count > maxBlocks || bits < 1 || room < 0 || room < 9 && count > 1<<room {
		return e.fault(at, "Fn::Cidr: %s has no room for %d blocks of %d bits (1 to %d of them)", block, count, bits, maxBlocks)
	}
	list := ListOf(at)
	address := prefix.Addr().AsSlice()
	next := new(big.Int).SetBytes(address)
	for range count {
		a, _ := netip.AddrFromSlice(next.FillBytes(make([]byte, len(address)))) // of the length of an address
		list.Items = append(list.Items, TextOf(at, netip.PrefixFrom(a, length).String()))
		next.Add(next, new(big.Int).Lsh(big.NewInt(1), uint(bits)))
	}
	return list
}

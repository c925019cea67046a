package main

import (
	"fmt"
	"net"
	"strings"

	"cleat/internal/control/stacks"
)

// domains says which custom domain names lead to a stage, and how to get there: names below localhost resolve by
// themselves, others need the hosts file or a Host header.
func (t *textReporter) domains(b *strings.Builder, api stacks.APISummary, stage, addr string) {
	told := map[string]bool{}
	for _, d := range api.Domains {
		if d.Stage != stage {
			continue
		}
		fmt.Fprintf(b, "  %s  %s\n", t.style.Dim("Custom     "), t.style.Bold(domainURL(d, addr)))
		if told[d.Name] || strings.HasSuffix(d.Name, ".localhost") {
			continue
		}
		told[d.Name] = true
		host := strings.Replace(d.Name, "*", "any", 1)
		fmt.Fprintf(b, "  %-11s  %s\n", "", t.style.Dim(fmt.Sprintf("with %q in the hosts file, or: wscat -c %s -H 'Host: %s'", "127.0.0.1 "+host, "ws://"+addr+path(d), host)))
	}
}

// domainURLs are the addresses of a stage under custom domain names.
func domainURLs(api stacks.APISummary, stage, addr string) []string {
	var urls []string
	for _, d := range api.Domains {
		if d.Stage == stage {
			urls = append(urls, domainURL(d, addr))
		}
	}
	return urls
}

// domainURL is an address under a custom domain name, at the port of addr.
func domainURL(d stacks.DomainSummary, addr string) string {
	host := d.Name
	if _, port, err := net.SplitHostPort(addr); err == nil {
		host = net.JoinHostPort(d.Name, port)
	}
	return "ws://" + host + path(d)
}

// path is the path of a mapping; the root has none.
func path(d stacks.DomainSummary) string {
	if d.Key == "" {
		return ""
	}
	return "/" + d.Key
}

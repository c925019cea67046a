package lambda

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Capture leads calls that functions make to API Gateway's own host names, {api}.execute-api.{region}.amazonaws.com and
// the same under .amazonaws.com.cn, and to custom domain names, to Cleat, without a change to the functions (design §1
// "Unmodified code"). Other hosts are not touched. The zero value captures nothing; each field works without the others.
type Capture struct {
	// Addr is where Cleat listens with TLS, such as "127.0.0.1:3001". Node and Python workers connect to it in place
	// of the captured hosts; server name, Host header and certificate check keep the name the function used.
	Addr string
	// Hosts returns the custom domain names of the moment; a worker keeps those of its start. "*.example.com" stands for
	// names with one label in place of the star. They are captured at port 443 and at that of Addr, where Cleat would be
	// found if they led here; other ports of the same host are somebody else's. It must be safe for concurrent use. Nil:
	// none.
	Hosts func() []string
	// CAFile is the PEM file of the local authority, which the workers trust beside the authorities they trust anyway.
	CAFile string
	// Proxy is the URL of an HTTP proxy that leads CONNECT to a captured host to Cleat and everything else onwards, to
	// the user's own proxy where there is one. Programs that cannot be patched get it as HTTPS_PROXY; Node and Python
	// workers only where the user has a proxy, which would otherwise see the call first.
	Proxy string
	// Endpoints are variables that name endpoints to SDKs, such as AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI, with
	// their URL. A function's own variables come first.
	Endpoints map[string]string
}

// captureAddr tells the preloaded scripts where Cleat is, captureHosts which custom domain names lead there, with commas
// between.
const (
	captureAddr  = "CLEAT_CAPTURE_ADDR"
	captureHosts = "CLEAT_CAPTURE_HOSTS"
)

// trustVariables name files that replace a program's trusted authorities. Each is honoured by somebody: SSL_CERT_FILE
// by OpenSSL and Go, the others by AWS's SDKs and Python's requests.
var trustVariables = []string{"SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"}

// systemRoots are where systems keep their trusted authorities as one file.
var systemRoots = []string{
	"/etc/ssl/certs/ca-certificates.crt",                // Debian, Ubuntu, Alpine, Arch
	"/etc/pki/tls/certs/ca-bundle.crt",                  // Fedora, RHEL
	"/etc/ssl/ca-bundle.pem",                            // SUSE
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // CentOS
	"/etc/ssl/cert.pem",                                 // macOS, BSD, Alpine
}

const (
	maxBundle      = 16 << 20 // bytes of a file or folder of certificates
	maxBundleFiles = 2000
)

// capturer applies a Capture to workers' environments.
type capturer struct {
	o   Capture
	dir string // the pool's
	log *slog.Logger
	ca  []byte

	mu      sync.Mutex
	bundles map[string]string // combined file by source, "" where there is none to be had
}

func newCapturer(o Capture, dir string, log *slog.Logger) (*capturer, error) {
	c := &capturer{o: o, dir: dir, log: log, bundles: map[string]string{}}
	if o.CAFile == "" {
		return c, nil
	}
	ca, err := readCertificates(o.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read the local authority: %w", err)
	}
	c.ca = ca
	return c, nil
}

// apply changes a worker's environment, in which own are the function's own variables.
func (c *capturer) apply(e, own environment, lang language) {
	var hosts []string
	if c.o.Hosts != nil {
		hosts = c.o.Hosts()
	}
	if c.o.Addr != "" && lang != languageOther {
		e[captureAddr] = c.o.Addr
		if len(hosts) > 0 {
			e[captureHosts] = strings.Join(hosts, ",")
		}
	}
	switch {
	case c.o.Addr == "":
	case lang == languageNode:
		require := "--require " + quoteNodeOption(filepath.Join(c.dir, nodeCapture))
		e["NODE_OPTIONS"] = strings.TrimSpace(e["NODE_OPTIONS"] + " " + require)
	case lang == languagePython:
		e.prepend("PYTHONPATH", filepath.Join(c.dir, pythonSite))
	}
	c.applyProxy(e, own, lang, hosts)
	if c.ca == nil {
		return
	}
	for _, name := range trustVariables {
		source := e[name]
		if source == "" && name == "REQUESTS_CA_BUNDLE" {
			source = e["CURL_CA_BUNDLE"] // requests looks there next
		}
		if path := c.bundle(source, true); path != "" {
			e[name] = path
		}
	}
	if path := c.bundle(e["NODE_EXTRA_CA_CERTS"], false); path != "" {
		e["NODE_EXTRA_CA_CERTS"] = path
	}
}

func (c *capturer) applyProxy(e, own environment, lang language, hosts []string) {
	if c.o.Proxy == "" || own["HTTPS_PROXY"] != "" || own["https_proxy"] != "" {
		return
	}
	has := e["HTTPS_PROXY"] != "" || e["https_proxy"] != "" || e["ALL_PROXY"] != "" || e["all_proxy"] != ""
	if lang != languageOther && !has {
		return
	}
	e["HTTPS_PROXY"], e["https_proxy"] = c.o.Proxy, c.o.Proxy
	except := e["NO_PROXY"]
	if except == "" {
		except = e["no_proxy"]
	}
	kept, all := withoutCaptured(except, hosts)
	if all { // the user's proxies had no effect: for plain HTTP that must stay so
		delete(e, "HTTP_PROXY")
		delete(e, "http_proxy")
	}
	// Not every client leaves these out by itself.
	except = strings.Join(append(kept, "localhost", "127.0.0.1", "::1"), ",")
	e["NO_PROXY"], e["no_proxy"] = except, except
}

// withoutCaptured takes out of a NO_PROXY list what would lead calls of captured hosts past Cleat; all tells that it
// named every host. Cleat's proxy goes by the user's whole list for what it passes on.
func withoutCaptured(list string, hosts []string) (kept []string, all bool) {
	for entry := range strings.SplitSeq(list, ",") {
		entry = strings.TrimSpace(entry)
		host := strings.ToLower(strings.TrimPrefix(strings.TrimPrefix(entry, "*"), "."))
		if h, _, ok := strings.Cut(host, ":"); ok && !strings.Contains(h, "[") {
			host = h
		}
		switch {
		case entry == "*":
			all = true
		case entry != "" && !coversCaptured(host, hosts):
			kept = append(kept, entry)
		}
	}
	return kept, all
}

func coversCaptured(host string, hosts []string) bool {
	for _, custom := range hosts {
		name, wildcard := strings.CutPrefix(custom, "*.")
		if host == name || host != "" && strings.HasSuffix(name, "."+host) || wildcard && strings.HasSuffix(host, "."+name) {
			return true
		}
	}
	for _, domain := range []string{"amazonaws.com", "amazonaws.com.cn"} {
		if host == domain || host != "" && strings.HasSuffix(domain, "."+host) ||
			strings.HasSuffix(host, "."+domain) && strings.Contains(host, "execute-api.") {
			return true
		}
	}
	return false
}

// quoteNodeOption quotes a value of NODE_OPTIONS.
func quoteNodeOption(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// bundle returns a file that holds the certificates of source and the local authority. Without a source it is the
// system's roots (roots) or none. It returns "" when replacing the variable would do harm: there are no system roots.
func (c *capturer) bundle(source string, roots bool) string {
	key := source
	if source == "" && roots {
		key = "roots"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if path, ok := c.bundles[key]; ok {
		return path
	}
	path, err := c.combine(source, roots)
	if err != nil {
		c.log.Warn("local functions do not trust the local authority everywhere", "source", source, "err", err)
	}
	c.bundles[key] = path
	return path
}

func (c *capturer) combine(source string, roots bool) (string, error) {
	var certs []byte
	var err error
	switch {
	case source != "":
		certs, err = readCertificates(source)
	case roots:
		certs, err = readSystemRoots()
	}
	if err != nil {
		return "", err
	}
	all := append(append([]byte(nil), certs...), c.ca...)
	sum := sha256.Sum256(all)
	path := filepath.Join(c.dir, "ca-"+hex.EncodeToString(sum[:8])+".pem")
	if err := os.WriteFile(path, all, 0o600); err != nil {
		return "", fmt.Errorf("write trusted authorities: %w", err)
	}
	return path, nil
}

func readSystemRoots() ([]byte, error) {
	for _, path := range systemRoots {
		if certs, err := readCertificates(path); err == nil {
			return certs, nil
		}
	}
	return nil, errors.New("the system's trusted authorities were not found")
}

// readCertificates reads a PEM file, or all of a folder, and returns what certificates there are.
func readCertificates(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	files := []string{path}
	if info.IsDir() {
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, err
		}
		files = nil
		for _, entry := range entries[:min(len(entries), maxBundleFiles)] {
			files = append(files, filepath.Join(path, entry.Name()))
		}
	}
	var out []byte
	seen := map[string]bool{} // a folder holds most of them twice, by name and by hash
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || !info.Mode().IsRegular() || info.Size() > maxBundle {
			continue
		}
		rest, err := os.ReadFile(file) //nolint:gosec // the user's own choice of file
		if err != nil {
			return nil, err
		}
		for len(out) <= maxBundle {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			if (block.Type == "CERTIFICATE" || block.Type == "TRUSTED CERTIFICATE") && !seen[string(block.Bytes)] {
				seen[string(block.Bytes)] = true
				block.Headers = nil
				out = append(out, pem.EncodeToMemory(block)...)
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no certificates in %s", path)
	}
	return out, nil
}

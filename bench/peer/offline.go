package peer

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed offline
var offlineFiles embed.FS

const offlineVersions = "14.8.2, osls 4.3.1" // as package.json says

type offline struct{ modules string }

// Offline returns serverless-offline, which runs in osls, the open fork of the Serverless Framework.
func Offline() Server { return &offline{} }

func (*offline) Name() string { return "serverless-offline" }

func (o *offline) Install(ctx context.Context, dir string) (string, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return "", fmt.Errorf("install Node 20 or newer: %w", err)
	}
	if _, err := exec.LookPath("npm"); err != nil {
		return "", fmt.Errorf("install npm: %w", err)
	}
	nodeVersion, err := run(ctx, "", node, "--version")
	if err != nil {
		return "", err
	}
	version := offlineVersions + ", Node " + nodeVersion
	dir = filepath.Join(dir, "serverless-offline")
	o.modules = filepath.Join(dir, "node_modules")
	lock, err := offlineFiles.ReadFile("offline/package-lock.json")
	if err != nil {
		return "", err
	}
	done := filepath.Join(o.modules, ".cleat-lock")
	if b, err := os.ReadFile(done); err == nil && string(b) == string(lock) { //nolint:gosec // G304: below the bench's folder
		return version, nil
	}
	if err := offlineCopy(dir, "package.json", "package-lock.json"); err != nil {
		return "", err
	}
	// --legacy-peer-deps: the plugin asks for a package "serverless", whose place osls takes.
	if _, err := run(ctx, dir, "npm", "ci", "--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"); err != nil {
		return "", err
	}
	return version, os.WriteFile(done, lock, 0o600)
}

func offlineCopy(dir string, names ...string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	for _, name := range names {
		b, err := offlineFiles.ReadFile("offline/" + name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (*offline) Notes() string {
	return "It has no integrations but functions, so that **its rows of messages are spared the call of a backend**: the function itself " +
		"sends the message back. The function runs in its own process (`--useInProcess`), which is its fastest way; the timer for each call is off " +
		"(`--noTimeout`), limits of connections' lives are raised to a day, and nothing is logged but errors. Node runs on one core " +
		"and there is no setting for more. A push is a POST to `@connections`, and a client asks the function for its ID."
}

func (*offline) Can(s Scenario) (string, bool) {
	switch s {
	case ScenarioMock:
		return "serverless-offline has neither MOCK integrations nor mapping templates for WebSocket APIs", false
	case ScenarioConnectHTTP:
		return "serverless-offline has no HTTP integrations: its `$connect` is a function in its own process", false
	default:
		return "", true
	}
}

func (o *offline) Start(ctx context.Context, s Setup) (Instance, error) {
	addrs, err := freeAddrs(ctx, 3)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(
		offlineCopy(s.Dir, "serverless.yml", "handler.js"),
		os.Symlink(o.modules, filepath.Join(s.Dir, "node_modules")),
	); err != nil {
		return nil, err
	}
	const day = "86400"
	args := []string{
		filepath.Join(o.modules, "osls", "bin", "serverless.js"), "offline", "--host", "127.0.0.1",
		"--websocketPort", port(addrs[0]), "--httpPort", port(addrs[1]), "--lambdaPort", port(addrs[2]),
		"--useInProcess", "--noTimeout", "--terminateIdleLambdaTime", day, "--webSocketHardTimeout", day, "--webSocketIdleTimeout", day,
	}
	if s.CertFile != "" {
		if err := offlineIdentity(s); err != nil {
			return nil, err
		}
		args = append(args, "--httpsProtocol", s.Dir)
	}
	i := &offlineInstance{instance: newInstance(s.Dir, addrs[0]), identify: s.Scenario == ScenarioPush}
	env := []string{"SLS_LOG_LEVEL=error", "SLS_TELEMETRY_DISABLED=1", "SLS_NOTIFICATIONS_MODE=off", "SLS_INTERACTIVE_SETUP_ENABLE=0", "NODE_ENV=production"}
	if err := i.start("osls", env, "node", args...); err != nil {
		return nil, err
	}
	if err := i.ready(ctx, i.addr); err != nil {
		return nil, err
	}
	return i, nil
}

// offlineIdentity copies the certificate and its key under the names that are asked for.
func offlineIdentity(s Setup) error {
	return errors.Join(copyFile(s.CertFile, filepath.Join(s.Dir, "cert.pem")), copyFile(s.KeyFile, filepath.Join(s.Dir, "key.pem")))
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from) //nolint:gosec // G304: the bench's own
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o600) //nolint:gosec // G703: below Setup.Dir
}

type offlineInstance struct {
	instance
	identify bool
}

func (o *offlineInstance) Client(int) Client {
	c := Client{
		Path:    "/",
		Message: func(dst []byte, _ uint64, payload []byte) []byte { return append(dst, payload...) },
	}
	if o.identify {
		c.Hello = []byte(`{"action":"id"}`)
		c.Identify = func(text []byte) (string, bool) {
			id := string(text)
			return id, len(id) == len("00000000-0000-0000-0000-000000000000") && !strings.HasPrefix(id, "{")
		}
	}
	return c
}

func (o *offlineInstance) Push(_ int, id string, text []byte) (string, []byte) {
	return o.addr, post(o.addr, "/@connections/"+id, "text/plain", text)
}

// Talos' own machinery as a judge of machine configurations.
//
// Reads one JSON request a line on standard input and answers each with one JSON verdict a line:
//
//	{"op": "validate", "config": "...", "mode": "cloud"}
//	{"op": "canonical", "config": "..."}
//	{"op": "patch", "config": "...", "patches": ["..."]}
//	{"op": "generate", "secrets": "...", "type": "controlplane", "name": "...", "endpoint": "...",
//	 "kubernetes": "1.36.3", "contract": "1.13", "domain": "...", "sans": ["..."], "patches": ["..."]}
//	{"op": "secrets", "secrets": "..."}
//	{"op": "talosconfig", "config": "..."}
//	{"op": "message", "name": "machine.Version"}
//
// A verdict is {"config": "...", "warnings": ["..."]} or {"error": "..."}. Configurations in
// verdicts are written by the official types, so that two of them are equal texts when they mean
// the same. A message, an enumeration or a service of the API is described in "members":
// name to "number type label", name to number, or name to "request -> reply".
//
// `go build` judges by Talos 1.13; `go build -modfile=go-1.12.mod` by Talos 1.12.
package main

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/client/config"
	talosconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/config/configpatcher"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/config/generate"
	"github.com/siderolabs/talos/pkg/machinery/config/generate/secrets"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	"go.yaml.in/yaml/v4"
)

type request struct {
	Op         string   `json:"op"`
	Config     string   `json:"config"`
	Mode       string   `json:"mode"`
	Secrets    string   `json:"secrets"`
	Type       string   `json:"type"`
	Name       string   `json:"name"`
	Endpoint   string   `json:"endpoint"`
	Kubernetes string   `json:"kubernetes"`
	Contract   string   `json:"contract"`
	Domain     string   `json:"domain"`
	Sans       []string `json:"sans"`
	Patches    []string `json:"patches"`
}

type verdict struct {
	Config   string            `json:"config,omitempty"`
	Warnings []string          `json:"warnings,omitempty"`
	Members  map[string]string `json:"members,omitempty"`
	Error    string            `json:"error,omitempty"`
}

// mode is what validation needs to know of the machine: a cloud image is installed already.
type mode struct{ name string }

func (m mode) String() string        { return m.name }
func (m mode) RequiresInstall() bool { return m.name == "metal" }
func (m mode) InContainer() bool     { return m.name == "container" }

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 0, 1<<20), 1<<26)

	answers := json.NewEncoder(os.Stdout)

	for lines.Scan() {
		var (
			req request
			out verdict
		)

		err := json.Unmarshal(lines.Bytes(), &req)
		if err == nil {
			out, err = judge(req)
		}

		if err != nil {
			out = verdict{Error: err.Error()}
		}

		if err := answers.Encode(out); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}

	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func judge(req request) (verdict, error) {
	switch req.Op {
	case "validate":
		return validate(req)
	case "canonical":
		provider, err := configloader.NewFromBytes([]byte(req.Config))
		if err != nil {
			return verdict{}, err
		}

		return canonical(provider)
	case "patch":
		return patch([]byte(req.Config), req.Patches)
	case "generate":
		return generated(req)
	case "secrets":
		_, err := bundle(req.Secrets)

		return verdict{}, err
	case "talosconfig":
		return clientConfig(req.Config)
	case "message":
		return describe(req.Name)
	default:
		return verdict{}, fmt.Errorf("unknown op %q", req.Op)
	}
}

func validate(req request) (verdict, error) {
	provider, err := configloader.NewFromBytes([]byte(req.Config))
	if err != nil {
		return verdict{}, err
	}

	warnings, err := provider.Validate(mode{req.Mode})

	return verdict{Warnings: warnings}, err
}

func canonical(provider talosconfig.Provider) (verdict, error) {
	text, err := provider.EncodeBytes(encoder.WithComments(encoder.CommentsDisabled))

	return verdict{Config: string(text)}, err
}

func patch(base []byte, texts []string) (verdict, error) {
	patches, err := configpatcher.LoadPatches(texts)
	if err != nil {
		return verdict{}, err
	}

	out, err := configpatcher.Apply(configpatcher.WithBytes(base), patches)
	if err != nil {
		return verdict{}, err
	}

	text, err := out.Bytes()
	if err != nil {
		return verdict{}, err
	}

	provider, err := configloader.NewFromBytes(text)
	if err != nil {
		return verdict{}, err
	}

	return canonical(provider)
}

func generated(req request) (verdict, error) {
	secretsBundle, err := bundle(req.Secrets)
	if err != nil {
		return verdict{}, err
	}

	contract, err := talosconfig.ParseContractFromVersion(req.Contract)
	if err != nil {
		return verdict{}, err
	}

	input, err := generate.NewInput(req.Name, req.Endpoint, req.Kubernetes,
		generate.WithSecretsBundle(secretsBundle),
		generate.WithVersionContract(contract),
		generate.WithDNSDomain(req.Domain),
		generate.WithAdditionalSubjectAltNames(req.Sans),
	)
	if err != nil {
		return verdict{}, err
	}

	kind, err := machine.ParseType(req.Type)
	if err != nil {
		return verdict{}, err
	}

	provider, err := input.Config(kind)
	if err != nil {
		return verdict{}, err
	}

	base, err := canonical(provider)
	if err != nil {
		return verdict{}, err
	}

	return patch([]byte(base.Config), req.Patches)
}

func bundle(text string) (*secrets.Bundle, error) {
	out := &secrets.Bundle{Clock: secrets.NewFixedClock(time.Now())}

	if err := yaml.Unmarshal([]byte(text), out); err != nil {
		return nil, err
	}

	return out, out.Validate()
}

func clientConfig(text string) (verdict, error) {
	loaded, err := config.FromString(text)
	if err != nil {
		return verdict{}, err
	}

	current, ok := loaded.Contexts[loaded.Context]
	if !ok {
		return verdict{}, fmt.Errorf("context %q does not exist", loaded.Context)
	}

	if current.Crt == "" {
		return verdict{}, fmt.Errorf("context %q has no certificate", loaded.Context)
	}

	crt, err := base64.StdEncoding.DecodeString(current.Crt)
	if err != nil {
		return verdict{}, err
	}

	key, err := base64.StdEncoding.DecodeString(current.Key)
	if err != nil {
		return verdict{}, err
	}

	_, err = tls.X509KeyPair(crt, key)

	return verdict{}, err
}

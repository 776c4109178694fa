// The real control plane of Kubernetes in one program, as a judge of what the provider makes of it.
//
// The first argument names the part:
//
//	kube-apiserver [--embedded-etcd=DIRECTORY] [--embedded-etcd-listen=URL] FLAGS...
//	kube-controller-manager FLAGS...
//	kube-scheduler FLAGS...
//	kwok FLAGS...
//
// With --embedded-etcd the API server starts an etcd of its own on that directory, in the same
// process, which proves itself with the certificate the server has for etcd. With
// --with-parent=true a part ends when its standard input does: a bed that was killed leaves
// nothing behind.
package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	"sigs.k8s.io/kwok/pkg/config"
	kwok "sigs.k8s.io/kwok/pkg/kwok/cmd"
	"sigs.k8s.io/kwok/pkg/log"
)

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("name a part: kube-apiserver, kube-controller-manager, kube-scheduler, kwok"))
	}
	part := os.Args[1]
	// Each part reads os.Args itself, and its own name is what it expects there.
	os.Args = os.Args[1:]
	if take("with-parent") == "true" {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		}()
	}

	switch part {
	case "kube-apiserver":
		if directory := take("embedded-etcd"); directory != "" {
			endpoint, err := etcd(directory, take("embedded-etcd-listen"))
			if err != nil {
				fail(err)
			}
			os.Args = append(os.Args, "--etcd-servers="+endpoint)
		}
		run(apiserver.NewAPIServerCommand())
	case "kube-controller-manager":
		run(controllers.NewControllerManagerCommand())
	case "kube-scheduler":
		run(scheduler.NewSchedulerCommand())
	case "kwok":
		if err := kubelets(); err != nil {
			fail(err)
		}
	default:
		fail(fmt.Errorf("no part is called %q", part))
	}
}

func run(command *cobra.Command) { os.Exit(cli.Run(command)) }

func fail(err error) {
	fmt.Fprintln(os.Stderr, "oracle:", err)
	os.Exit(1)
}

// take removes --name=value from the arguments and returns the value, empty when it is not there.
func take(name string) string {
	found := value(name)
	os.Args = slices.DeleteFunc(os.Args, func(argument string) bool {
		return strings.HasPrefix(argument, "--"+name+"=")
	})
	return found
}

// value returns what --name=value gives.
func value(name string) string {
	for _, argument := range os.Args {
		if value, found := strings.CutPrefix(argument, "--"+name+"="); found {
			return value
		}
	}
	return ""
}

// etcd starts a member on its own and returns the address it serves clients on. What it stores
// is thrown away with the bed, so nothing waits for the disk.
func etcd(directory, listen string) (string, error) {
	settings := embed.NewConfig()
	settings.Dir = directory
	settings.LogLevel = "error"
	settings.UnsafeNoFsync = true
	client, err := url.Parse(listen)
	if err != nil {
		return "", fmt.Errorf("--embedded-etcd-listen: %w", err)
	}
	settings.ListenClientUrls = []url.URL{*client}
	settings.ClientTLSInfo = transport.TLSInfo{
		CertFile:       value("etcd-certfile"),
		KeyFile:        value("etcd-keyfile"),
		TrustedCAFile:  value("etcd-cafile"),
		ClientCertAuth: true,
	}
	settings.AdvertiseClientUrls = settings.ListenClientUrls
	// A lone member talks to nobody, yet must listen: port 0 takes a free one.
	settings.ListenPeerUrls = []url.URL{{Scheme: "http", Host: client.Hostname() + ":0"}}
	member, err := embed.StartEtcd(settings)
	if err != nil {
		return "", err
	}
	select {
	case <-member.Server.ReadyNotify():
		return listen, nil
	case <-time.After(time.Minute):
		return "", fmt.Errorf("etcd was not ready after a minute")
	}
}

// kubelets runs kwok's own command, which finds its stages in the context.
func kubelets() error {
	// Kubernetes' own packages register a flag --version that cobra takes for kwok's.
	pflag.CommandLine = pflag.NewFlagSet("kwok", pflag.ContinueOnError)
	flags := pflag.NewFlagSet("global", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.Usage = func() {}
	ctx, _ := log.InitFlags(context.Background(), flags)
	ctx, err := config.InitFlags(ctx, flags)
	if err != nil {
		return err
	}
	command := kwok.NewCommand(ctx)
	command.PersistentFlags().AddFlagSet(flags)
	return command.ExecuteContext(ctx)
}

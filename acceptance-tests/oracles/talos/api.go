package main

import (
	"fmt"
	"strings"

	_ "github.com/cosi-project/runtime/api/v1alpha1"
	_ "github.com/siderolabs/talos/pkg/machinery/api/cluster"
	_ "github.com/siderolabs/talos/pkg/machinery/api/common"
	_ "github.com/siderolabs/talos/pkg/machinery/api/machine"
	_ "github.com/siderolabs/talos/pkg/machinery/api/resource/config"
	_ "github.com/siderolabs/talos/pkg/machinery/api/resource/definitions/block"
	_ "github.com/siderolabs/talos/pkg/machinery/api/resource/definitions/cluster"
	_ "github.com/siderolabs/talos/pkg/machinery/api/resource/definitions/etcd"
	_ "github.com/siderolabs/talos/pkg/machinery/api/resource/definitions/extensions"
	_ "github.com/siderolabs/talos/pkg/machinery/api/resource/definitions/hardware"
	_ "github.com/siderolabs/talos/pkg/machinery/api/resource/definitions/k8s"
	_ "github.com/siderolabs/talos/pkg/machinery/api/resource/definitions/network"
	_ "github.com/siderolabs/talos/pkg/machinery/api/resource/definitions/runtime"
	_ "github.com/siderolabs/talos/pkg/machinery/api/resource/definitions/time"
	_ "github.com/siderolabs/talos/pkg/machinery/api/resource/definitions/v1alpha1"
	_ "github.com/siderolabs/talos/pkg/machinery/api/security"
	_ "github.com/siderolabs/talos/pkg/machinery/api/storage"
	_ "github.com/siderolabs/talos/pkg/machinery/api/time"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

func describe(name string) (verdict, error) {
	descriptor, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return verdict{}, err
	}

	members := map[string]string{}

	switch descriptor := descriptor.(type) {
	case protoreflect.MessageDescriptor:
		fields := descriptor.Fields()
		for i := range fields.Len() {
			members[string(fields.Get(i).Name())] = field(fields.Get(i))
		}
	case protoreflect.EnumDescriptor:
		values := descriptor.Values()
		for i := range values.Len() {
			members[string(values.Get(i).Name())] = fmt.Sprint(values.Get(i).Number())
		}
	case protoreflect.ServiceDescriptor:
		methods := descriptor.Methods()
		for i := range methods.Len() {
			members[string(methods.Get(i).Name())] = method(methods.Get(i))
		}
	default:
		return verdict{}, fmt.Errorf("%s is a %T", name, descriptor)
	}

	return verdict{Members: members}, nil
}

func field(field protoreflect.FieldDescriptor) string {
	kind := field.Kind().String()

	switch {
	case field.IsMap():
		kind = "map"
	case field.Message() != nil:
		kind = string(field.Message().FullName())
	case field.Enum() != nil:
		kind = string(field.Enum().FullName())
	}

	return fmt.Sprintf("%d %s %s", field.Number(), kind, field.Cardinality())
}

func method(method protoreflect.MethodDescriptor) string {
	var text strings.Builder

	if method.IsStreamingClient() {
		text.WriteString("stream ")
	}

	text.WriteString(string(method.Input().FullName()) + " -> ")

	if method.IsStreamingServer() {
		text.WriteString("stream ")
	}

	text.WriteString(string(method.Output().FullName()))

	return text.String()
}

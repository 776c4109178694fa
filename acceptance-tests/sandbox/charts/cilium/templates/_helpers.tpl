{{/* Where namespaced objects go. */}}
{{- define "cilium.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Labels of every object. */}}
{{- define "cilium.labels" -}}
app.kubernetes.io/part-of: cilium
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A whole image reference: a map with repository and maybe tag, and the chart's own. */}}
{{- define "cilium.image" -}}
{{- $image := index . 0 -}}
{{- $root := index . 1 -}}
{{- printf "%s%s:%s" $image.repository (default "" $image.suffix) (default (printf "v%s" $root.Chart.AppVersion) $image.tag) -}}
{{- end -}}

{{/* Refuses values that contradict each other. */}}
{{- define "cilium.validate" -}}
{{- if gt (len .Values.cluster.name) 32 }}
{{- fail (printf "cluster.name %q is longer than 32 characters" .Values.cluster.name) }}
{{- end }}
{{- if and .Values.hubble.ui.enabled (not .Values.hubble.relay.enabled) }}
{{- fail "hubble.ui.enabled needs hubble.relay.enabled" }}
{{- end }}
{{- if and .Values.gatewayAPI.enabled (ne (toString .Values.kubeProxyReplacement) "true") }}
{{- fail "gatewayAPI.enabled needs kubeProxyReplacement" }}
{{- end }}
{{- end -}}

{{/* Name of the secret with Hubble's serving certificate. */}}
{{- define "hubble.serverSecret" -}}
{{- .Values.hubble.tls.server.existingSecret | default "hubble-server-certs" -}}
{{- end -}}

{{/* Whether GatewayClass objects can be made: asked of the cluster when the value says auto. */}}
{{- define "cilium.gatewayClass" -}}
{{- if and .Values.gatewayAPI.enabled (or (eq (toString .Values.gatewayAPI.gatewayClass.create) "true") (and (eq (toString .Values.gatewayAPI.gatewayClass.create) "auto") (.Capabilities.APIVersions.Has "gateway.networking.k8s.io/v1/GatewayClass"))) -}}
true
{{- end -}}
{{- end -}}

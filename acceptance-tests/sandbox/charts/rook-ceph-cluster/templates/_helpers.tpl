{{/* A storage class of a pool or file system. */}}
{{- define "rook-ceph-cluster.storageClass" }}
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: {{ .class.name }}
  annotations:
    storageclass.kubernetes.io/is-default-class: "{{ if .class.isDefault }}true{{ else }}false{{ end }}"
provisioner: {{ .root.Values.operatorNamespace }}.{{ .provisioner }}.csi.ceph.com
parameters:
  clusterID: {{ .root.Release.Namespace }}
  {{- range $key, $value := .extra }}
  {{ $key }}: {{ $value }}
  {{- end }}
  {{- with .class.parameters }}
  {{- tpl (toYaml .) $.root | nindent 2 }}
  {{- end }}
reclaimPolicy: {{ default "Delete" .class.reclaimPolicy }}
allowVolumeExpansion: {{ default "true" .class.allowVolumeExpansion }}
volumeBindingMode: {{ default "Immediate" .class.volumeBindingMode }}
{{- end }}

{{/* Name of the resources of one controller: (list $ "function-controller"). */}}
{{- define "function-mesh.name" -}}
{{- $root := index . 0 -}}
{{- printf "%s-%s" (trunc 40 $root.Release.Name | trimSuffix "-") (index . 1) -}}
{{- end -}}

{{/* Selector labels of one controller's pods; immutable in a Deployment, so they never change. */}}
{{- define "function-mesh.selector" -}}
app.kubernetes.io/name: {{ index . 1 }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
{{- end -}}

{{- define "function-mesh.labels" -}}
{{- $root := index . 0 -}}
{{ include "function-mesh.selector" . }}
app.kubernetes.io/component: controller
app.kubernetes.io/part-of: function-mesh
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end -}}

{{/* Configuration file of the function, source and sink controllers; empty if all values are the defaults. */}}
{{- define "function-mesh.config" -}}
{{- range $key := list "runnerImages" "runnerImagePullSecrets" "runnerImagePullPolicy" "downloader" "filebeat" "resourceLabels" "resourceAnnotations" }}
{{- with index $.Values $key }}
{{ dict $key . | toYaml }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Labels and annotations of a definition. Uninstalling the chart must not delete every Function in the cluster. */}}
{{- define "function-mesh-crds.metadata" -}}
{{- $crds := .Values.crds | default dict -}}
annotations: {{- mergeOverwrite (deepCopy ($crds.annotations | default dict)) (dict "helm.sh/resource-policy" "keep") | toYaml | nindent 2 }}
{{- with $crds.labels }}
labels: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

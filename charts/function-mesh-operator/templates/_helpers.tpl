{{/* Beginning of all names: fullnameOverride, or the release with nameOverride. */}}
{{- define "function-mesh.base" -}}
{{- $name := .Values.fullnameOverride -}}
{{- if not $name -}}
{{- $name = .Release.Name -}}
{{- with .Values.nameOverride }}{{ $name = printf "%s-%s" $name . }}{{ end -}}
{{- end -}}
{{- trunc 40 $name | trimSuffix "-" -}}
{{- end -}}

{{/*
Name of the resources of one controller: (list $ "function-controller"). With shards, each has a Deployment and a PodDisruptionBudget,
whose name ends with its index; the other resources are common.
*/}}
{{- define "function-mesh.name" -}}
{{- printf "%s-%s" (include "function-mesh.base" (index . 0)) (index . 1) -}}
{{- end -}}

{{/* Selector labels of one controller's pods; immutable in a Deployment, so they never change. */}}
{{- define "function-mesh.selector" -}}
app.kubernetes.io/name: {{ index . 1 }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
{{- end -}}

{{/* Number of shards of a controller: (list $ "function"). Values of an earlier release do not have it. */}}
{{- define "function-mesh.shards" -}}
{{- (index (index . 0).Values.controllers (index . 1)).shards | default 1 | int -}}
{{- end -}}

{{/* Selector labels of one shard: (list $ "function" 0). Without shards, those of the controller. */}}
{{- define "function-mesh.shardSelector" -}}
{{ include "function-mesh.selector" (list (index . 0) (printf "%s-controller" (index . 1))) }}
{{- if gt (include "function-mesh.shards" . | int) 1 }}
compute.functionmesh.io/shard: {{ index . 2 | toString | quote }}
{{- end }}
{{- end -}}

{{/* Name of the Deployment of one shard, with the same arguments. */}}
{{- define "function-mesh.shardName" -}}
{{- include "function-mesh.name" (list (index . 0) (printf "%s-controller" (index . 1))) -}}
{{- if gt (include "function-mesh.shards" . | int) 1 }}-{{ index . 2 }}{{ end -}}
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

{{/*
Labels and annotations of an object: (list $ "function-controller"), with further labels and annotations as the third and fourth
element. The chart's labels win over commonLabels, because selectors depend on them.
*/}}
{{- define "function-mesh.metadata" -}}
{{- $root := index . 0 -}}
{{- $own := include "function-mesh.labels" . | fromYaml -}}
{{- $labels := deepCopy $root.Values.commonLabels -}}
{{- $annotations := deepCopy $root.Values.commonAnnotations -}}
{{- if gt (len .) 2 }}{{ $labels = mergeOverwrite $labels (deepCopy (index . 2)) }}{{ end -}}
{{- if gt (len .) 3 }}{{ $annotations = mergeOverwrite $annotations (deepCopy (index . 3)) }}{{ end -}}
labels: {{- mergeOverwrite $labels $own | toYaml | nindent 2 }}
{{- with $annotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A setting of a controller's pods: its own if it has one, else the one for all controllers: (list $ "function" "tolerations"). */}}
{{- define "function-mesh.setting" -}}
{{- $root := index . 0 -}}
{{- $controller := index $root.Values.controllers (index . 1) -}}
{{- $key := index . 2 -}}
{{- $value := index $root.Values $key -}}
{{- if hasKey $controller $key }}{{ $value = index $controller $key }}{{ end -}}
{{- dict "value" $value | toJson -}}
{{- end -}}

{{/* Name of a controller's ServiceAccount: (list $ "function"). */}}
{{- define "function-mesh.serviceAccountName" -}}
{{- $account := get (index (index . 0).Values.controllers (index . 1)) "serviceAccount" | default dict -}}
{{- $account.name | default (include "function-mesh.name" (list (index . 0) (printf "%s-controller" (index . 1)))) -}}
{{- end -}}

{{/* The image, by digest if there is one. */}}
{{- define "function-mesh.image" -}}
{{- $image := .Values.image -}}
{{- $repository := $image.repository -}}
{{- with $image.registry -}}
{{- /* The first part of a name is a registry if it has a dot or a port. */ -}}
{{- $repository = printf "%s/%s" . (regexReplaceAll "^([^/]*[.:][^/]*|localhost)/" $repository "") -}}
{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository ($image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* A probe: the settings, and the request unless they have a handler: (list settings "/healthz"). */}}
{{- define "function-mesh.probe" -}}
{{- $probe := index . 0 -}}
{{- if or $probe.httpGet $probe.tcpSocket $probe.exec $probe.grpc -}}
{{- toYaml $probe -}}
{{- else -}}
{{- merge (dict "httpGet" (dict "path" (index . 1) "port" "http-metrics")) $probe | toYaml -}}
{{- end -}}
{{- end -}}

{{/*
Where the pods of a controller, or of one of its shards, run: affinity and topologySpreadConstraints: (list $ "function" 0). With more
than one replica they prefer different zones and nodes, unless there are rules of this type already.
*/}}
{{- define "function-mesh.placement" -}}
{{- $root := index . 0 -}}
{{- $kind := index . 1 -}}
{{- $controller := index $root.Values.controllers $kind -}}
{{- $selector := include "function-mesh.shardSelector" . | fromYaml -}}
{{- $affinity := (include "function-mesh.setting" (list $root $kind "affinity") | fromJson).value | default dict -}}
{{- $constraints := (include "function-mesh.setting" (list $root $kind "topologySpreadConstraints") | fromJson).value | default list -}}
{{- $spread := (include "function-mesh.setting" (list $root $kind "spreadReplicas") | fromJson).value -}}
{{- if and $spread (gt (int $controller.replicas) 1) -}}
{{- if not $affinity.podAntiAffinity -}}
{{- $term := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" (dict "matchLabels" $selector) -}}
{{- $preferred := list (dict "weight" 100 "podAffinityTerm" $term) -}}
{{- $affinity = merge (dict "podAntiAffinity" (dict "preferredDuringSchedulingIgnoredDuringExecution" $preferred)) $affinity -}}
{{- end -}}
{{- if not $constraints -}}
{{- $constraints = list (dict "maxSkew" 1 "topologyKey" "topology.kubernetes.io/zone" "whenUnsatisfiable" "ScheduleAnyway") -}}
{{- end -}}
{{- end -}}
{{- with $affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $constraints }}
topologySpreadConstraints:
{{- range . }}
{{- /* Without a selector, a constraint counts no pods. */}}
{{- if not .labelSelector }}{{ $_ := set . "labelSelector" (dict "matchLabels" $selector) }}{{ end }}
  - {{- toYaml . | nindent 4 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* What the pods of a controller and of its check before an uninstall have in common: (list $ "function"). */}}
{{- define "function-mesh.pod" -}}
{{- $root := index . 0 -}}
{{- $settings := dict -}}
{{- range $key := list "hostNetwork" "hostUsers" "dnsPolicy" "dnsConfig" "hostAliases" "nodeSelector" "tolerations" "priorityClassName" -}}
{{- $_ := set $settings $key (include "function-mesh.setting" (list $root (index $ 1) $key) | fromJson).value -}}
{{- end -}}
{{- if $settings.hostNetwork }}
hostNetwork: true
{{- end }}
{{- if kindIs "bool" $settings.hostUsers }}
hostUsers: {{ $settings.hostUsers }}
{{- end }}
{{- with $settings.dnsPolicy | default (ternary "ClusterFirstWithHostNet" "" (eq true $settings.hostNetwork)) }}
dnsPolicy: {{ . }}
{{- end }}
{{- with $settings.dnsConfig }}
dnsConfig: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.hostAliases }}
hostAliases: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* Configuration file of the function, source and sink controllers; empty if all values are the defaults. */}}
{{- define "function-mesh.config" -}}
{{- range $key := list "runnerImages" "runnerImagePullSecrets" "runnerImagePullPolicy" "downloader" "filebeat" "resourceLabels" "resourceAnnotations" }}
{{- with index $.Values $key }}
{{ dict $key . | toYaml }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The settings of the metrics over HTTPS: (include ... $ | fromJson). With --reuse-values, those of an earlier release may lack some. */}}
{{- define "function-mesh.secureMetrics" -}}
{{- $defaults := dict "enabled" false "port" 8443 "authorization" true "tokenSecret" dict -}}
{{- mergeOverwrite $defaults (deepCopy (.Values.secureMetrics | default dict)) | toJson -}}
{{- end -}}

#!/usr/bin/env bash
# Pods of the StatefulSets of a namespace, as the StatefulSet controller and a kubelet would have them. pods.sh NAMESPACE
set -euo pipefail
namespace=$1
kubectl get statefulsets --namespace "$namespace" --output json |
  jq '{apiVersion: "v1", kind: "List", items: [.items[] as $set | range($set.spec.replicas) | {
    apiVersion: "v1", kind: "Pod",
    metadata: {
      name: "\($set.metadata.name)-\(.)", namespace: $set.metadata.namespace, labels: $set.spec.template.metadata.labels,
      annotations: $set.spec.template.metadata.annotations,
      ownerReferences: [{apiVersion: "apps/v1", kind: "StatefulSet", name: $set.metadata.name, uid: $set.metadata.uid, controller: true}]
    },
    spec: ($set.spec.template.spec + {nodeName: "node-1"})}]}' |
  kubectl create --filename -
for pod in $(kubectl get pods --namespace "$namespace" --output name); do
  kubectl get "$pod" --namespace "$namespace" --output json |
    jq --arg now "$(date --utc +%FT%TZ)" '{status: {phase: "Running", startTime: $now,
      conditions: [("PodScheduled", "Initialized", "ContainersReady", "Ready") | {type: ., status: "True", lastTransitionTime: $now}],
      containerStatuses: [.spec.containers[] | {name, image, imageID: "", containerID: "containerd://\(.name)", ready: true, started: true,
        restartCount: 0, state: {running: {startedAt: $now}}}]}}' |
    kubectl patch "$pod" --namespace "$namespace" --subresource status --type merge --patch-file /dev/stdin
done

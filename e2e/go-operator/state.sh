#!/usr/bin/env bash
# Prints what a switch must not change: the uid of each kind and object, uid and generation of each StatefulSet, and uid and restarts
# of their pods where there are nodes.
set -euo pipefail
kubectl get crd --output custom-columns=NAME:.metadata.name,UID:.metadata.uid --no-headers | grep functionmesh.io
for kind in functions sources sinks functionmeshes; do
  kubectl get "$kind" --all-namespaces --no-headers --output custom-columns=KIND:.kind,NAME:.metadata.name,UID:.metadata.uid
done
kubectl get statefulsets --namespace streaming --no-headers \
  --output custom-columns=NAME:.metadata.name,UID:.metadata.uid,GENERATION:.metadata.generation
kubectl get services --namespace streaming --no-headers --output custom-columns=NAME:.metadata.name,UID:.metadata.uid
bash "$(dirname "$0")/pods.sh"

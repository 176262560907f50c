#!/usr/bin/env bash
# What most pages of the documentation take for granted: a broker and both charts. With nodes, waits for the pods.
set -euo pipefail
kubectl apply -f config/samples/pulsar.yaml
helm install function-mesh-crds charts/function-mesh-crds
until kubectl wait --for=condition=Established --timeout=60s crd functions.compute.functionmesh.io sources.compute.functionmesh.io \
  sinks.compute.functionmesh.io functionmeshes.compute.functionmesh.io backendconfigs.compute.functionmesh.io; do sleep 0.2; done
helm install function-mesh charts/function-mesh-operator --namespace function-mesh-system --create-namespace
if [ -n "$(kubectl get nodes --output name)" ]; then
  kubectl rollout status deployment --namespace function-mesh-system --timeout 180s
  kubectl rollout status statefulset/pulsar --timeout 300s
fi

#!/usr/bin/env bash
# Brings a cluster into the state that the Go operator leaves: its release, its kinds, objects as its webhook stored them, its
# children and its statuses. install.sh RELEASE NAMESPACE
set -euo pipefail
release=$1 namespace=$2
folder=$(dirname "$0")
# Its webhook does not run: it comes last.
helm install "$release" "$folder/chart" --namespace "$namespace" --create-namespace
kubectl wait --for=condition=Established --timeout=60s crd \
  functions.compute.functionmesh.io sinks.compute.functionmesh.io functionmeshes.compute.functionmesh.io
kubectl delete mutatingwebhookconfiguration "$release-mutating-webhook-configuration"
kubectl delete validatingwebhookconfiguration "$release-validating-webhook-configuration"

bash "$folder/create.sh"

condition() { echo "{\"condition\":\"$1Ready\",\"status\":\"True\",\"action\":\"NoAction\"}"; }
for object in functions/enrich functions/flow-a functions/flow-b functions/flow-c functions/resize sinks/audit functions/pinned; do
  name=${object#*/} kind=${object%s/*} namespace_of=streaming
  [ "$name" != pinned ] || namespace_of=archive
  kubectl patch "$object" --namespace "$namespace_of" --field-manager manager --subresource status --type merge --patch "{\"status\":{
    \"conditions\":{\"StatefulSet\":$(condition StatefulSet),\"Service\":$(condition Service)},
    \"observedGeneration\":1,\"replicas\":1,\"selector\":\"compute.functionmesh.io/name=$name,component=$kind\"}}"
done
kubectl patch functionmeshes/flow --namespace streaming --field-manager manager --subresource status --type merge --patch "{\"status\":{
  \"condition\":$(condition Mesh),\"observedGeneration\":1,\"sourceConditions\":{},\"sinkConditions\":{},
  \"functionConditions\":{\"a\":$(condition Function),\"b\":$(condition Function),\"c\":$(condition Function)}}}"
kubectl create --filename - << END
apiVersion: compute.functionmesh.io/v1alpha1
kind: BackendConfig
metadata: {name: global-backend-config, namespace: default}
spec: {env: {REGION: eu}}
END
# Helm puts the webhooks back.
helm upgrade "$release" "$folder/chart" --namespace "$namespace" --reuse-values

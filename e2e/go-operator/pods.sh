#!/usr/bin/env bash
# Prints name, uid and restarts of the pods of StatefulSets, without those that are named: pods.sh [POD]...
set -euo pipefail
kubectl get pods --namespace streaming --no-headers --output \
  'custom-columns=OWNER:.metadata.ownerReferences[0].kind,NAME:.metadata.name,UID:.metadata.uid,RESTARTS:.status.containerStatuses[*].restartCount' |
  awk -v without=" $* " '$1 == "StatefulSet" && !index(without, " " $2 " ") { print $2, $3, $4 }'

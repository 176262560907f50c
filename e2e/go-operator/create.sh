#!/usr/bin/env bash
# Creates the objects and children of a Go installation, with the field managers that they had there.
set -euo pipefail
folder=$(dirname "$0")
kubectl create namespace streaming
kubectl create namespace archive
uids=$(mktemp)
# Creates objects that refer to the uids of others.
create() {
  for kind in functionmesh function sink; do
    kubectl get "$kind" --namespace streaming \
      --output go-template='{{range .items}}s/UID-'"$kind"'-{{.metadata.name}}\b/{{.metadata.uid}}/g{{"\n"}}{{end}}'
  done > "$uids"
  sed --file "$uids" "$folder/$1.yaml" | kubectl create --field-manager "$2" --filename -
}
create objects kubectl-create
create components manager
create children manager
rm "$uids"

#!/usr/bin/env bash
# Messages for the recorded functions, on a cluster with nodes.
#   messages.sh start           starts a broker, lets the recorded pods run, sends four numbers a second, and waits for answers
#   messages.sh check [NAME]... waits until each function has answered every number; twice only where its pod was restarted
set -euo pipefail
folder=$(dirname "$0")
case $1 in
  start)
    kubectl create namespace pulsar
    # With function workers and the package service.
    kubectl create configmap pulsar-environment --namespace pulsar --from-literal STANDALONE_FLAGS=-nss
    kubectl create configmap pulsar-settings --namespace pulsar --from-literal packages.conf="enablePackagesManagement=true
packagesManagementStorageProvider=org.apache.pulsar.packages.management.storage.filesystem.FileSystemPackagesStorageProvider"
    kubectl apply --namespace pulsar --filename "$folder/../../config/samples/pulsar.yaml"
    kubectl create configmap cluster-conf --namespace streaming \
      --from-literal webServiceURL=http://pulsar.pulsar.svc.cluster.local:8080 \
      --from-literal brokerServiceURL=pulsar://pulsar.pulsar.svc.cluster.local:6650
    kubectl create configmap log-conf --namespace streaming --from-file conf.xml="$folder/log4j.xml"
    kubectl create configmap messages --namespace pulsar --from-file "$folder/messages.py"
    kubectl rollout status statefulset pulsar --namespace pulsar --timeout 300s
    kubectl apply --namespace pulsar --filename - << END
apiVersion: v1
kind: Pod
metadata: {name: messages}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  containers:
    - name: messages
      image: docker.io/local/pulsar-all:4.0.6
      imagePullPolicy: IfNotPresent
      command: [python3, -u, /messages/messages.py]
      readinessProbe: {tcpSocket: {port: 8000}, periodSeconds: 1}
      volumeMounts: [{name: messages, mountPath: /messages}]
  volumes: [{name: messages, configMap: {name: messages}}]
END
    kubectl wait --for=condition=Ready pod messages --namespace pulsar --timeout 120s
    bash "$0" check
    ;;
  check)
    shift
    names=$(printf 'restarted=%s&' "$@")
    kubectl exec messages --namespace pulsar -- python3 -c '
import sys, urllib.error, urllib.request
try:
    print(urllib.request.urlopen("http://localhost:8000/?" + sys.argv[1]).read().decode())
except urllib.error.HTTPError as error:
    sys.exit(error.read().decode())' "$names"
    ;;
  *) sed -n '2,4s/^# *//p' "$0" && exit 2 ;;
esac

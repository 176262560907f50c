#!/usr/bin/env bash
# The sample function, ready.
set -euo pipefail
kubectl apply -f config/samples/function.yaml
kubectl wait --for=condition=Ready function/exclamation --timeout 300s

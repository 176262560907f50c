#!/usr/bin/env bash
# Messages for the function in Pulsar's function worker; see messages.py for the arguments.
set -euo pipefail
kubectl exec messages --namespace pulsar --stdin -- python3 - "$@" < "$(dirname "$0")/messages.py"

#!/usr/bin/env bash
# A function in Pulsar's function worker that has answered ten numbers, beside the recorded objects of the Go operator.
set -euo pipefail
folder=$(dirname "$0")
# Nothing that the function answers is deleted before it is counted.
"$folder/pulsar-admin" topics create-subscription persistent://public/default/counts --subscription kept
"$folder/pulsar-admin" functions create --tenant public --namespace default --name WordCount \
  --jar /pulsar/examples/api-examples.jar --classname org.apache.pulsar.functions.api.examples.ExclamationFunction \
  --inputs persistent://public/default/sentences --output persistent://public/default/counts --ram 268435456
bash "$folder/messages.sh" consumed
bash "$folder/messages.sh" send 1 10
bash "$folder/messages.sh" answered 10

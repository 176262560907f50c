//! The examples in the help of each command.

pub(crate) const PLAN: &str = "Examples:
  # What a manifest would restart
  kubectl fmesh plan -f function.yaml

  # In a pipeline: fail when a change restarts pods
  kubectl fmesh plan -k overlays/production

  # What an upgrade of the operator to the release of this plugin would do, with its new configuration
  kubectl fmesh plan --all -A --config config.yaml";

pub(crate) const STATUS: &str = "Examples:
  # All objects of the namespace
  kubectl fmesh status

  # A mesh with everything that belongs to it
  kubectl fmesh status functionmesh orders

  # What is not ready in the cluster, for a script
  kubectl fmesh status -A -o json | jq '.items[] | select(.ready != true)'";

pub(crate) const DOCTOR: &str = "Examples:
  # The namespace of the kubeconfig context
  kubectl fmesh doctor

  # The cluster, once a day, with a month to renew credentials
  kubectl fmesh doctor -A --within 30

  # Names of the Secrets with expired credentials, for a script
  kubectl fmesh doctor -A -o json | jq -r '.findings[] | select(.check == \"Expiry\") | .object'";

pub(crate) const GRAPH: &str = "Examples:
  # A mesh before it is applied, for a README
  kubectl fmesh graph -f mesh.yaml

  # A mesh of the cluster as a picture
  kubectl fmesh graph orders -n production -o svg > orders.svg

  # In a pipeline: fail on a cycle or a misspelt topic
  kubectl fmesh check -f manifests/ -R";

pub(crate) const APPROVE: &str = "Examples:
  # List pending updates in all namespaces
  kubectl fmesh approve --all -A --dry-run

  # Approve for one object, and wait until its pods run the update
  kubectl fmesh approve function wordcount --wait

  # Approve for the components of a mesh, without a question
  kubectl fmesh approve functionmesh orders --yes";

pub(crate) const RENDER: &str = "Examples:
  # Render a file
  kubectl fmesh render -f function.yaml

  # Render all manifests in a directory tree for a namespace
  kubectl fmesh render -f manifests/ -R -n production

  # Render a kustomization
  kubectl fmesh render -k overlays/production

  # List the images that would run
  kubectl fmesh render -f function.yaml -o json | jq -r '.items[].spec.template.spec.containers[]?.image'";

pub(crate) const RECREATE: &str = "Examples:
  # What waits for a new StatefulSet
  kubectl fmesh recreate --all --dry-run

  # Recreate the StatefulSet of a function without stopping its pods, and wait until it is ready
  kubectl fmesh recreate function wordcount --wait";

pub(crate) const PAUSE: &str = "Examples:
  # Hold back what an upgrade of the operator would roll out to the components of a mesh
  kubectl fmesh pause functionmesh orders

  # All sinks of a namespace, in a script
  kubectl fmesh pause sinks --all -n production --yes";

pub(crate) const RESUME: &str = "Examples:
  # Resume one object
  kubectl fmesh resume function wordcount

  # What is paused, by label
  kubectl fmesh resume -l team=orders --dry-run";

pub(crate) const RESTART: &str = "Examples:
  # Restart the pods of one object, and wait until all are replaced
  kubectl fmesh restart function wordcount --wait

  # Restart the components of a mesh, without a question
  kubectl fmesh restart functionmesh orders --yes";

pub(crate) const CHECK: &str = "Examples:
  # In a pipeline: fail on a cycle or a misspelt topic
  kubectl fmesh check -f manifests/ -R

  # All components of a namespace
  kubectl fmesh check -n production";

pub(crate) const LOGS: &str = "Examples:
  # Follow the instances of a function
  kubectl fmesh logs function wordcount -f

  # What a sink logged before it crashed
  kubectl fmesh logs sink archive --previous --tail 100";

pub(crate) const TOP: &str = "Examples:
  # All components of the namespace
  kubectl fmesh top

  # Each pod of two functions, measured for ten seconds
  kubectl fmesh top function wordcount enrich --pods --interval 10

  # The slowest functions of the cluster
  kubectl fmesh top function -A -o json | jq '.items | sort_by(-.latencyMilliseconds)[:5]'";

pub(crate) const REPORT: &str = "Examples:
  # An archive for an issue, of one namespace
  kubectl fmesh report -n production --archive

  # With the logs of the instances, into a folder to be read first
  kubectl fmesh report --instance-logs --directory report";

pub(crate) const VERSION: &str = "Examples:
  # Plugin, CRDs, controllers
  kubectl fmesh version

  # Controllers of another release than this plugin
  kubectl fmesh version -o json | jq '.client.version as $mine | .controllers[] | select(.version != $mine)'";

pub(crate) const COMPLETION: &str = "Examples:
  # For kubectl-fmesh in bash
  source <(kubectl-fmesh completion bash)

  # For `kubectl fmesh`, names from the cluster included: put kubectl_complete-fmesh into PATH, and use kubectl's completion
  source <(kubectl completion bash)";

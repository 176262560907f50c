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

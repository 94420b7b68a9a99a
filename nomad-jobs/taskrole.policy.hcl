# What taskrole's own token may do, and nothing else:
#   nomad acl policy apply -namespace infra -job taskrole taskrole taskrole.policy.hcl
# attaches it to the workload identity of the job "taskrole" in the namespace "infra".

# The allocations of this node, with their jobs.
node {
  policy = "read"
}

# Lists and reads allocations and jobs of every namespace: no logs, no files, no exec. It does show
# job specifications, environment and templates included.
namespace "*" {
  capabilities = ["read-job"]
}

# Only where nomad.node-id is not configured:
# agent {
#   policy = "read"
# }

# taskrole on every client node, in a container. README.md has what to do once before, then:
#
#   nomad job run -var releases=https://files.example.com -var issuer=https://oidc.example.com \
#     -var 'instances={blue={version="0.1.0-SNAPSHOT",sha256="..."}}' taskrole-docker.nomad.hcl
#
# The clients need:  plugin "docker" { config { volumes { enabled = true } } }
#                    client { reserved { reserved_ports = "9171" } }   # so that no other job takes the port
variable "releases" {
  type        = string
  description = "Where the nodes fetch the tarball that src/dist/build makes: its address without the file's name."
}

# One instance on every node is enough. A second one takes over from it without a gap, at an upgrade, or stays for
# good: README.md, "Upgrading without a gap".
variable "instances" {
  type = map(object({
    version = string # in the tarball's name
    sha256  = string # the tarball's checksum, from SHA256SUMS
  }))
  description = "What runs on every node: blue, green or both, each with its version and its tarball's sha256."

  validation {
    condition     = length(var.instances) > 0
    error_message = "There must be an instance: blue, green or both."
  }
  validation {
    condition     = length([for name in keys(var.instances) : name if !contains(["blue", "green"], name)]) == 0
    error_message = "An instance is called blue or green."
  }
}

variable "user" {
  type        = string
  description = "The number of taskrole's user. Nothing else may run as it: it could listen at taskrole's port."
  default     = "9171"
}

variable "issuer" {
  type        = string
  description = "oidc_issuer of the Nomad servers."
}

variable "region" {
  type        = string
  description = "The AWS Region whose STS is asked."
  default     = "eu-west-1"
}

# Both instances answer at the same addresses; only /healthz, /readyz and /metrics differ.
locals {
  admin_ports = { blue = 9172, green = 9173 }
}

job "taskrole" {
  # taskrole.policy.hcl is attached to this job in this namespace.
  namespace = "infra"
  type      = "system"

  # On every node of every pool and datacenter, and hardly ever pushed out by something else.
  node_pool   = "all"
  datacenters = ["*"]
  priority    = 90

  # The tarball brings its own Java, so it is for one architecture: see its name.
  constraint {
    attribute = "${attr.kernel.name}"
    value     = "linux"
  }
  constraint {
    attribute = "${attr.cpu.arch}"
    value     = "amd64"
  }

  # One node after the other, and on only when /readyz says so. (Nomad before 1.11 just waits for stagger.)
  update {
    max_parallel      = 1
    health_check      = "checks"
    min_healthy_time  = "10s"
    healthy_deadline  = "2m"
    progress_deadline = "5m"
    stagger           = "30s"
  }

  # A group for each instance. It must be the same whether the other one is there or not, or Nomad would replace what
  # runs already: so use nothing in it but this instance's own values (group.key, group.value) and what never changes.
  dynamic "group" {
    for_each = var.instances
    labels   = [group.key]

    content {
      network {
        mode = "host"
        # Port 9171 is not reserved here: Nomad would not place both instances on one node. The client's
        # configuration reserves it, see above.
        port "admin" {
          static = local.admin_ports[group.key]
        }
      }

      # While taskrole is down some SDKs turn to the node's own role: come back at once, and never give up.
      restart {
        attempts = 10
        interval = "1m"
        delay    = "1s"
        mode     = "delay"
      }

      service {
        name     = "taskrole"
        provider = "nomad"
        port     = "admin"
        # The node's Nomad client makes these checks itself, so they may stay on loopback.
        address = "127.0.0.1"

        check {
          name     = "healthz"
          type     = "http"
          path     = "/healthz"
          interval = "10s"
          timeout  = "2s"
          check_restart {
            limit = 3
            grace = "30s"
          }
        }

        # Not ready means that Nomad, the key set or the roles are missing: a restart would mend none of them.
        check {
          name     = "readyz"
          type     = "http"
          path     = "/readyz"
          interval = "10s"
          timeout  = "2s"
        }
      }

      task "taskrole" {
        driver = "docker"
        # No root and no capability. Neither the node nor the image needs to know this number, so Nomad leaves taskrole's
        # own token, which reads the node and the jobs, open to whoever may look into Nomad's data directory: raw_exec
        # tasks. nobody would be worse: exec and java tasks run as it, and could listen at taskrole's port.
        user = var.user

        config {
          # Any image with glibc and bash: Java comes in the tarball.
          image        = "debian:13-slim"
          network_mode = "host"
          command      = "/local/taskrole-${group.value.version}-linux-x86_64/taskrole"
          args         = ["agent", "--config", "${NOMAD_TASK_DIR}/taskrole.yaml"]
          cap_drop     = ["all"]
          security_opt = ["no-new-privileges"]

          # What attest: kernel looks at: the host's cgroups, and the names of Nomad's network namespaces.
          # rslave, or namespaces that are made later would stay invisible.
          cgroupns = "host"
          volumes  = ["/run/netns:/run/netns:ro,rslave"]
        }

        artifact {
          source = "${var.releases}/taskrole-${group.value.version}-linux-x86_64.tar.gz"
          options {
            checksum = "sha256:${group.value.sha256}"
          }
        }

        # taskrole's own identity, the default one: secrets/nomad_token opens the task API socket beside it.
        # It has no expiry and dies with the allocation.
        identity {
          file = true
        }

        # Read once, at the start.
        template {
          destination = "local/taskrole.yaml"
          change_mode = "restart"
          data        = <<-YAML
            listen:
              # The second address is for tasks with a network of their own. Every node must have it (README.md).
              credentials: [127.0.0.1:9171, 169.254.170.23:9171]
              admin: 127.0.0.1:${local.admin_ports[group.key]}
              # Lets the other instance listen there too, and whatever else runs as this user: see var.user.
              reuse-port: true
            nomad:
              address: unix://{{ env "NOMAD_SECRETS_DIR" }}/api.sock
              token-file: {{ env "NOMAD_SECRETS_DIR" }}/nomad_token
              node-id: {{ env "node.unique.id" }}
            identity:
              issuer: ${var.issuer}
            sts:
              region: ${var.region}
          YAML
        }

        # The rules are a Nomad Variable that this job may read without any policy. taskrole follows the file
        # by itself, and keeps the last good rules if new ones have a mistake: so no restart and no signal.
        template {
          destination = "local/roles.yaml"
          change_mode = "noop"
          data        = <<-YAML
            {{ with nomadVar "nomad/jobs/taskrole" }}{{ .roles }}{{ end }}
          YAML
        }

        # The audit log is the task's standard output: have it collected, Nomad keeps only this much.
        logs {
          max_files     = 10
          max_file_size = 20
        }

        kill_signal  = "SIGTERM"
        kill_timeout = "10s"

        resources {
          cpu    = 200
          memory = 256
          # For a flood of connections, where the cluster allows oversubscription; else give it 512 above.
          memory_max = 512
        }
      }
    }
  }
}

# raw_exec: a process of the host. 127.0.0.1 is where taskrole listens, and NOMAD_SECRETS_DIR is a path of the
# host. Needs raw_exec enabled and the AWS CLI 2.15 or newer on the node.
variable "region" {
  type        = string
  description = "The AWS Region that the SDK asks."
  default     = "eu-west-1"
}

job "raw-exec" {
  type = "service"

  group "app" {
    task "main" {
      driver = "raw_exec"

      config {
        command = "/bin/sh"
        args    = ["-c", "while :; do /usr/local/bin/aws sts get-caller-identity; sleep 600; done"]
      }

      # One audience, a file, and a ttl: without the ttl the token has no expiry, and STS refuses it.
      identity {
        name = "aws"
        aud  = ["sts.amazonaws.com"]
        file = true
        ttl  = "1h"
        # Nomad renews the file and the SDKs read it again: nothing to signal, nothing to restart.
        change_mode = "noop"
      }

      env {
        AWS_CONTAINER_CREDENTIALS_FULL_URI     = "http://127.0.0.1:9171/v1/credentials"
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = "${NOMAD_SECRETS_DIR}/nomad_aws.jwt"
        AWS_REGION                             = var.region
        # A failing lookup must fail, not end in the node's own role.
        AWS_EC2_METADATA_DISABLED = "true"
      }

      resources {
        cpu    = 100
        memory = 256
      }
    }
  }
}

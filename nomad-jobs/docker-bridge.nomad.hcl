# docker with Nomad's bridge: the task has a network of its own. 127.0.0.1 would be its own loopback, so it
# asks on the link-local address. Prints its role every ten minutes: nomad alloc logs -job docker-bridge
variable "region" {
  type        = string
  description = "The AWS Region that the SDK asks."
  default     = "eu-west-1"
}

job "docker-bridge" {
  type = "service"

  group "app" {
    network {
      mode = "bridge"
    }

    task "main" {
      driver = "docker"

      config {
        image      = "amazon/aws-cli:2.36.7"
        entrypoint = ["/bin/sh", "-c"]
        args       = ["while :; do aws sts get-caller-identity; sleep 600; done"]
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
        AWS_CONTAINER_CREDENTIALS_FULL_URI     = "http://169.254.170.23:9171/v1/credentials"
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

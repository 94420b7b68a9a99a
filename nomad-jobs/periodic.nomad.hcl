# A periodic batch job, in a network of its own. Its runs are children named nightly/periodic-<time>, but their
# tokens name the parent (Nomad 1.8.4 and newer): rule and trust policy are for the job "nightly".
variable "region" {
  type        = string
  description = "The AWS Region that the SDK asks."
  default     = "eu-west-1"
}

job "nightly" {
  type = "batch"

  periodic {
    crons            = ["15 3 * * *"]
    time_zone        = "UTC"
    prohibit_overlap = true
  }

  group "report" {
    network {
      mode = "bridge"
    }

    task "main" {
      driver = "docker"

      config {
        image = "amazon/aws-cli:2.36.7"
        args  = ["sts", "get-caller-identity"]
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

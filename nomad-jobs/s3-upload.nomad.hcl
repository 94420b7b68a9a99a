# A batch job, docker with the host's network: uploads one file with the role that roles.yaml names for it.
# iam/ makes that role.
variable "bucket" {
  type        = string
  description = "A bucket that the job's role may put objects into."
}

variable "region" {
  type        = string
  description = "The AWS Region that the SDK asks."
  default     = "eu-west-1"
}

job "s3-upload" {
  type = "batch"

  group "upload" {
    task "cli" {
      driver = "docker"

      config {
        image        = "amazon/aws-cli:2.36.7"
        network_mode = "host"
        args         = ["s3", "cp", "/local/hello.txt", "s3://${var.bucket}/hello.txt"]
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

      template {
        data        = "Hello from {{ env \"NOMAD_ALLOC_ID\" }}\n"
        destination = "local/hello.txt"
      }

      resources {
        cpu    = 100
        memory = 256
      }
    }
  }
}

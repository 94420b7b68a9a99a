# java with the host's network. Any application whose AWS SDK is Java v2 2.21.30 or v1 1.12.746, or newer, and
# that uses the default credential chain. AWS_EC2_METADATA_DISABLED is a must here: these SDKs turn to the
# node's role on any failure.
variable "jar" {
  type        = string
  description = "The address of the application's jar."
}

variable "region" {
  type        = string
  description = "The AWS Region that the SDK asks."
  default     = "eu-west-1"
}

job "java" {
  type = "service"

  group "app" {
    task "main" {
      driver = "java"

      config {
        jar_path    = "local/app.jar"
        jvm_options = ["-Xmx128m"]
      }

      artifact {
        source      = var.jar
        destination = "local/app.jar"
        mode        = "file"
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
        cpu    = 200
        memory = 256
      }
    }
  }
}

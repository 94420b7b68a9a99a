variable "issuer" {
  type        = string
  description = "oidc_issuer of the Nomad servers, exactly as configured there. AWS reads its discovery document and keys from the internet."
  validation {
    condition     = can(regex("^https://[^/:?#*]+(/[^?#*]*[^/?#*])?$", var.issuer))
    error_message = "Write https:// and a host, with or without a path; no port, no query, no slash at the end."
  }
}

variable "audience" {
  type        = string
  description = "The one audience of the tasks' identities: aud in the job, identity.audience in taskrole.yaml."
  default     = "sts.amazonaws.com"
}

variable "nomad_region" {
  type        = string
  description = "The Nomad region of the job. It is not an AWS Region."
  default     = "global"
}

variable "namespace" {
  type        = string
  description = "The Nomad namespace of the job."
  default     = "default"
}

variable "job" {
  type        = string
  description = "The id of the job; for a dispatched or periodic one its parent's."
  default     = "s3-upload"
  validation {
    condition     = can(regex("^[^:*?]+$", var.job))
    error_message = "The subject joins names with colons: a job with a colon in its name could pass for another. Rename it."
  }
}

variable "group" {
  type        = string
  description = "The task's group."
  default     = "upload"
  validation {
    condition     = can(regex("^[^:*?]+$", var.group))
    error_message = "The subject joins names with colons: a group with a colon in its name could pass for another. Rename it."
  }
}

variable "task" {
  type        = string
  description = "The task."
  default     = "cli"
  validation {
    condition     = can(regex("^[^:*?]+$", var.task))
    error_message = "The subject joins names with colons: a task with a colon in its name could pass for another. Rename it."
  }
}

variable "identity" {
  type        = string
  description = "The name of the task's identity block."
  default     = "aws"
}

variable "role_name" {
  type        = string
  description = "The role's name, as roles.yaml has it."
  default     = "s3-upload"
}

variable "bucket" {
  type        = string
  description = "The bucket that the task may put objects into."
}

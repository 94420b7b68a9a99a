# The role of one task. Another task gets a role of its own: copy this file.
locals {
  # What Nomad signs as the token's sub.
  subject = join(":", [var.nomad_region, var.namespace, var.job, var.group, var.task, var.identity])

  # IAM names the conditions after the issuer, without its scheme.
  issuer_name = trimprefix(var.issuer, "https://")
}

resource "aws_iam_role" "task" {
  name = var.role_name

  # At least the duration of the rule in roles.yaml, which is 1h if it has none.
  max_session_duration = 3600

  # Who may take the role: this one task. Both conditions, and StringEquals: without sub, or with a wildcard
  # in it, jobs that others write could take the role as well.
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = aws_iam_openid_connect_provider.nomad.arn }
      Condition = {
        StringEquals = {
          "${local.issuer_name}:aud" = var.audience
          "${local.issuer_name}:sub" = local.subject
        }
      }
    }]
  })
}

# What the role may do.
resource "aws_iam_role_policy" "task" {
  name = "put-objects"
  role = aws_iam_role.task.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "s3:PutObject"
      Resource = "arn:aws:s3:::${var.bucket}/*"
    }]
  })
}

# Nomad as an identity provider of this account: one for each issuer, whatever the number of roles.
resource "aws_iam_openid_connect_provider" "nomad" {
  url            = var.issuer
  client_id_list = [var.audience]
}

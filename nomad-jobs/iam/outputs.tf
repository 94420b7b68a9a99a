output "role_arn" {
  description = "The role, for roles.yaml."
  value       = aws_iam_role.task.arn
}

output "subject" {
  description = "The one sub that may take the role."
  value       = local.subject
}

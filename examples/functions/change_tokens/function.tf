output "tokens" {
  value = provider::managedk8s::change_tokens("K1", 3).tokens
}

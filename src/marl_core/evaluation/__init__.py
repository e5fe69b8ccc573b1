"""How good a policy is, and how sure of it we are."""

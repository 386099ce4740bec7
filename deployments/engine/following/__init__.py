"""Follows clusters: what each workload in a rollout shows, written to its row, and who is woken by it."""

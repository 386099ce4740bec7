"""The watch of a cluster, and what its events tell."""

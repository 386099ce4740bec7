"""A small server that speaks the Kubernetes API on the wire. See README.md; nothing in the product imports it."""

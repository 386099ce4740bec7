"""Writing to the cluster, fenced, and asking before whether it may be done."""

"""Health questions put to the outside: HTTP, Prometheus, a Job in the cluster."""

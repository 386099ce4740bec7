"""What people type about deployments and places. The services judge it; forms read it and keep it."""

"""The pages of deployments and of the places they go to."""

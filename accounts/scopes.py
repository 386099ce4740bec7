"""What a token can be limited to: areas and verbs, pure data."""

AREAS = ("releases", "deployments", "audit", "admin")
READ_SCOPES = tuple(f"{area}:read" for area in AREAS)
WRITE_SCOPES = tuple(f"{area}:write" for area in AREAS)
SCOPES = (*READ_SCOPES, *WRITE_SCOPES)

"""A small believable company for the first look: loaded by `manage.py seed_demo`, in development only."""

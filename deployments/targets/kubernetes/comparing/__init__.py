"""What would change, and what others have changed since."""

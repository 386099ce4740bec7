"""The pages of applications, releases and approval rules."""

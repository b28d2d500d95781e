"""The same turn on other people's machinery, killed at the same points. Each driver is optional."""

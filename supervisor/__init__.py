"""The roof: composes storage, platforms and actors into a running supervisor."""

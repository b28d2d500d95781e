"""Platforms that need no network: a chat server in memory, and a wire to it that can be made to fail in every way."""

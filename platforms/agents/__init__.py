"""Agents: what a session runs. Each is reached through the one `Agent` port."""

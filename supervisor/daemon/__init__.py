"""The standalone daemon: configuration, composition by name, logs, signals, and what it says when it starts."""

"""Chat platforms: each a pure codec and a thin client behind the `Platform` port."""

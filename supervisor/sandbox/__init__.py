"""The sandbox: the real house under a seed, in virtual time, on a disk and platforms that fail."""

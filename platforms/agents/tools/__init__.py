"""What a model may call: each thing with a policy of its own, that says what a crash may repeat."""

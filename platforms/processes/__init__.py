"""Where background processes run: the machine that greenroom runs on."""

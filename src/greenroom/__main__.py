"""`python -m greenroom`: the same command as `greenroom`."""

from greenroom.supervisor.cli.main import main

if __name__ == "__main__":
    main()

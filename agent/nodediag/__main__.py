"""python -m nodediag."""

from nodediag.cli.main import main

if __name__ == "__main__":
    main()

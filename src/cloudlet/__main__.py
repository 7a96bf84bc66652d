"""`python -m cloudlet` is `cloudlet`."""

from cloudlet.cli import main

if __name__ == "__main__":
    main()

"""Installs Debian's chromium and its driver where they are missing and that is allowed.

The tests of the HTML report open it in a real browser. tox runs this before them, so that one
command passes the tests on a fresh machine; anywhere else it only says what to do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DRIVER = "chromedriver"
PACKAGES = ("chromium", "chromium-driver", "fonts-liberation")


def main() -> int:
    """Exit code: 0 unless an installation was begun and failed."""
    present = any(map(shutil.which, BROWSERS)) and shutil.which(DRIVER)
    if present or os.environ.get("FAIRBENCH_NO_BROWSER") == "1":
        return 0
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        print(
            f"The browser tests need chromium and {DRIVER} on the PATH "
            f"(Debian: apt-get install {' '.join(PACKAGES)}). "
            "FAIRBENCH_NO_BROWSER=1 leaves these tests out.",
            file=sys.stderr,
        )
        return 0
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES]
    for command in (["apt-get", "update"], install):
        done = subprocess.run(command, env=quiet, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Installs what the tests need of Debian, where it is missing and that is allowed.

The tests of the HTML report open it in a real browser, and those of the training kernel compile
it. tox runs this before them, so that one command passes the tests on a fresh machine; anywhere
else it only says what to do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DRIVER = "chromedriver"
COMPILERS = ("c++", "g++", "clang++")


def missing() -> list[str]:
    """The Debian packages that are to be installed."""
    packages = []
    browser = any(map(shutil.which, BROWSERS)) and shutil.which(DRIVER)
    if not browser and os.environ.get("FAIRBENCH_NO_BROWSER") != "1":
        packages += ["chromium", "chromium-driver", "fonts-liberation"]
    if not any(map(shutil.which, COMPILERS)):
        packages += ["g++", "libc6-dev"]
    return packages


def main() -> int:
    """Exit code: 0 unless an installation was begun and failed."""
    packages = missing()
    if not packages:
        return 0
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        print(
            f"The tests need a C++ compiler, chromium and {DRIVER} on the PATH "
            f"(Debian: apt-get install {' '.join(packages)}). "
            "FAIRBENCH_NO_BROWSER=1 leaves the browser's tests out.",
            file=sys.stderr,
        )
        return 0
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    for command in (["apt-get", "update"], install):
        done = subprocess.run(command, env=quiet, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Made-up runs, and a headless browser to look at their reports with."""

from __future__ import annotations

import json
import os
import runpy
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest

from fairbench.analyze import Run
from fairbench.plugins import load
from fairbench.report import Contents, View, gather

INSTALL = (
    "the report is tested in a browser: install it with "
    "`apt-get install chromium chromium-driver`, or set FAIRBENCH_NO_BROWSER=1 to leave these "
    "tests out"
)


def pytest_collection_modifyitems(config, items):
    """Leave the browser out where that was asked for, and count what was left out."""
    if os.environ.get("FAIRBENCH_NO_BROWSER") != "1":
        return
    left_out = [item for item in items if "browser" in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def made_up() -> SimpleNamespace:
    """The names in `runs.py`, which lies beside this file."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("runs.py"))))


@pytest.fixture(scope="session")
def run(made_up, tmp_path_factory) -> Run:
    """Two datasets, four methods, five splits; a failed chunk and a diverged trial."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    made_up.write_run(folder)
    return Run(folder)


@pytest.fixture(scope="session")
def small(made_up, tmp_path_factory) -> Run:
    """One dataset and six trade-off values, nothing lost."""
    folder = tmp_path_factory.mktemp("small") / "run"
    made_up.write_run(folder, methods=made_up.arms(6), trouble=False, labels=("boston",))
    return Run(folder)


@pytest.fixture(scope="session")
def many(made_up, tmp_path_factory) -> Run:
    """Five datasets, enough to rank methods across them."""
    folder = tmp_path_factory.mktemp("many") / "run"
    labels = ("parkinson", made_up.SCRIPT, "c", "d", "e")
    # A margin wide enough that not every method exceeds it in these few rows.
    made_up.write_run(
        folder, methods=made_up.arms(6), trouble=False, labels=labels, views=1, margin=0.5
    )
    return Run(folder)


@pytest.fixture(scope="session")
def contents(run) -> Contents:
    """Everything that reports of `run` show."""
    return gather([run], View())


@pytest.fixture(scope="session")
def render() -> Callable[..., str]:
    """Render runs in a format, once each, and return the main document."""

    @cache
    def rendered(form: str, *runs: Run) -> str:
        reporter = load().find("reporter", form).build({})
        return next(iter(reporter.render(runs, View()).values()))

    return rendered


class Browser:
    """Chromium without a window, with all that it logs."""

    def __init__(self, downloads: Path) -> None:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        chromium = chromium or shutil.which("google-chrome")
        driver = shutil.which("chromedriver")
        assert chromium, INSTALL
        assert driver, INSTALL
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu",
                         "--disable-dev-shm-usage", "--window-size=1200,900"):  # fmt: skip
            options.add_argument(argument)
        options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(driver))
        self.driver.set_page_load_timeout(60)
        self.downloads = downloads

    def open(self, page: Path, *, width: int = 1200, dark: bool = False) -> None:
        """Open a file and wait until it is ready."""
        from selenium.webdriver.support.ui import WebDriverWait

        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", features=[scheme])
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=900,
                     deviceScaleFactor=1, mobile=width < 500)  # fmt: skip
        self.errors(), self.requests()  # forget those of the page before
        self.driver.get(page.as_uri())
        done = "return 'drawn' in document.documentElement.dataset || !byId('stopped').hidden"
        WebDriverWait(self.driver, 60).until(lambda driver: driver.execute_script(done))

    def command(self, name: str, **parameters):
        return self.driver.execute_cdp_cmd(name, parameters)

    def script(self, code: str, *arguments):
        return self.driver.execute_script(code, *arguments)

    def errors(self) -> list[str]:
        """What was written to the console since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """What was fetched since the last call."""
        events = [json.loads(e["message"])["message"] for e in self.driver.get_log("performance")]
        sent = [e for e in events if e["method"] == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in sent]

    def choose(self, menu: str, position: int) -> None:
        """Choose an option of a menu as a user would."""
        from selenium.webdriver.common.by import By
        from selenium.webdriver.support.ui import Select

        Select(self.driver.find_element(By.ID, menu)).select_by_index(position)

    def look(self, plot: str) -> None:
        """Scroll to a figure, and wait until it shows what is chosen."""
        from selenium.webdriver.support.ui import WebDriverWait

        self.script("byId(arguments[0]).scrollIntoView()", plot)
        done = f"return Boolean(byId('{plot}').data) && !stale.has('{plot}')"
        WebDriverWait(self.driver, 30).until(lambda driver: driver.execute_script(done))

    def drawn(self, plot: str) -> str:
        """All data of a figure."""
        self.look(plot)
        return str(self.script("return JSON.stringify(byId(arguments[0]).data)", plot))

    def shown(self, plot: str) -> str:
        """The picture of a figure."""
        self.look(plot)
        return str(self.script("return byId(arguments[0]).innerHTML", plot))

    def table(self, place: str) -> list[list[str]]:
        """The words of a table inside the element `place`."""
        rows = self.script("return tableRows(byId(arguments[0]).querySelector('table'))", place)
        return [list(row) for row in rows]


@pytest.fixture(scope="session")
def browser(tmp_path_factory) -> Iterator[Browser]:
    opened = Browser(tmp_path_factory.mktemp("downloads"))
    yield opened
    opened.driver.quit()


@pytest.fixture(scope="session")
def page(run, render, tmp_path_factory) -> Path:
    """The HTML report of `run`."""
    path = tmp_path_factory.mktemp("pages") / "report.html"
    path.write_text(render("html", run), encoding="utf-8")
    return path

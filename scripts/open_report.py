"""Check a report in headless Chromium and make its pictures, for `screenshot_report`."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
WIDTHS = {1280: 800, 400: 800}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def main() -> int:
    """Open the page at each width; the exit status is 1 if something is wrong with it."""
    words = sys.argv[1:]
    folder = Path(words[1]) if len(words) > 1 else ROOT / "build" / "report"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made, sync_playwright() as playwright:
        report = Path(words[0]) if words else shipped(Path(made))
        browser = playwright.chromium.launch(
            # A container's root has no sandbox; the page is our own.
            executable_path=os.environ["CHROMIUM"],
            args=["--no-sandbox"],
        )
        views = [(width, scheme) for width in WIDTHS for scheme in SCHEMES]
        wrong = [fault for view in views for fault in look(browser, report, folder, *view)]
        browser.close()
    for fault in dict.fromkeys(wrong):
        print(f"wrong: {fault}", file=sys.stderr)
    print(f"{len(set(wrong))} console errors, requests and other faults in {report.name}")
    return 1 if wrong else 0


def shipped(folder: Path) -> Path:
    """A report on a network that ships."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras_symgrad as ks

    models = ROOT / "examples" / "models"
    concept = ks.interpret(models / "A1.keras", models / "A1.csv", time_limit=20, verbose=False)
    return concept.report(folder / "report.html")


def look(
    browser: Browser, report: Path, folder: Path, width: int, scheme: Literal["light", "dark"]
) -> list[str]:
    """Faults of the page at one width; writes its picture, and its print from the widest."""
    faults: list[str] = []
    page = browser.new_page(
        viewport={"width": width, "height": WIDTHS[width]},
        device_scale_factor=1,
        color_scheme=scheme,
    )
    page.on("console", lambda m: faults.append(f"console: {m.text}") if m.type != "log" else None)
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    address = report.resolve().as_uri()
    page.on(
        "request",
        lambda request: (
            None
            if request.url == address or request.url.startswith("data:")
            else faults.append(f"request: {request.url}")
        ),
    )
    page.on("dialog", lambda dialog: faults.append(f"dialog: {dialog.message}") or dialog.dismiss())
    page.goto(address)
    page.wait_for_load_state("networkidle")
    wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    if wider > 0:
        faults.append(f"{wider} pixels wider than {width}")
    test_points = page.evaluate(
        "[...document.images].filter((i) => !i.naturalWidth || !i.alt).map((i) => i.alt || 'image')"
    )
    faults += [f"not drawn or not described: {image}" for image in test_points]
    faults += sorting(page)
    # From the top again, and with nothing marked.
    page.evaluate("scrollTo(0, 0); document.activeElement.blur()")
    page.screenshot(path=folder / f"report-{width}-{scheme}.png", full_page=True)
    if (width, scheme) == (max(WIDTHS), SCHEMES[0]):
        page.pdf(path=folder / "report.pdf", prefer_css_page_size=True, print_background=False)
    page.close()
    return faults


def sorting(page) -> list[str]:
    """Faults of the first sortable table: a click on the loss sorts by it, a second one back."""
    column = (
        "[...document.querySelector('.sortable').tBodies[0].rows]"
        ".map((r) => +r.cells[1].dataset.value)"
    )
    headings = page.locator(".sortable").first.locator("th button")
    if headings.count() < 2:
        return ["the table has no headings to click"]
    loss = headings.nth(1)
    loss.click()
    ascending = page.evaluate(column)
    loss.click()
    descending = page.evaluate(column)
    headings.nth(0).click()
    if ascending != sorted(ascending) or descending != ascending[::-1]:
        return [f"the table is not sorted by a click: {ascending}, {descending}"]
    return []


if __name__ == "__main__":
    sys.exit(main())

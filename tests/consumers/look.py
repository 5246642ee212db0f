"""Opens a page in Chromium, in light and dark, wide and narrow; prints what it saw as JSON.

`look.py PAGE [FOLDER]`: screenshots go into the folder.
"""

import itertools
import json
import sys
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
    "--host-resolver-rules=MAP * ~NOTFOUND",
]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"]}

page_path = Path(sys.argv[1]).resolve()
folder = Path(sys.argv[2]) if len(sys.argv) > 2 else None
found = []
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
    for width, scheme in itertools.product((360, 1440), ("light", "dark")):
        context = browser.new_context(
            viewport={"width": width, "height": 1100}, color_scheme=scheme, offline=True
        )
        page = context.new_page()
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("pageerror", lambda error, said=said: said.append(str(error)))
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.goto(page_path.as_uri(), wait_until="load")
        if folder:
            page.screenshot(path=folder / f"report-{scheme}-{width}.png")
        everything = page.locator("#count").inner_text()
        page.keyboard.press("Tab")
        first = page.evaluate("document.activeElement.className")
        page.locator("#find").fill("iban")
        page.wait_for_function(
            "c => document.querySelector('#count').textContent != c", arg=everything
        )
        searched = page.locator("#count").inner_text()
        page.locator("#find").fill("")
        page.locator("#band").select_option("low")
        page.wait_for_function(
            "document.querySelectorAll('tbody tr:not([hidden]) td.high').length == 0"
        )
        low = page.locator("#count").inner_text()
        page.locator("#band").select_option("")
        violations = Axe().run(page, options=RULES).response["violations"]
        found.append(
            {
                "width": width,
                "scheme": scheme,
                "console": said,
                "network": [url for url in asked if not url.startswith("file:")],
                "overflow": page.evaluate(
                    "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                ),
                "ground": page.evaluate("getComputedStyle(document.body).backgroundColor"),
                "first_focus": first,
                "counts": [everything, searched, low],
                "violations": [violation["id"] for violation in violations],
                "scripts": page.evaluate("document.scripts.length"),
                "boxes": page.evaluate("window.hacked === undefined"),
            }
        )
        context.close()
    browser.close()
print(json.dumps(found))

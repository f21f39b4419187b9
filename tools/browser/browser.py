"""A browser that watches a page: errors on the console, failures, and requests to anywhere."""

import argparse
import contextlib
import os
import pathlib

from playwright.sync_api import sync_playwright

DESKTOP = {"width": 1400, "height": 900}
PHONE = {"width": 360, "height": 780}


def arguments():
    """What `tools/check-browser` hands to each script: the program, a folder with `shapes/` and `run/`, one for screenshots."""
    parser = argparse.ArgumentParser()
    for name in ["defrost", "work", "shots"]:
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    return parser.parse_args()


@contextlib.contextmanager
def chromium():
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextlib.contextmanager
def watched(browser, viewport, scheme, allowed, locale="en-GB", refusals=()):
    """A page in a context of its own. `allowed` are prefixes of addresses that it may ask; the rest is refused and counted.
    `refusals` are statuses that a server may answer with: the browser reports them, and the page must show them itself.

    Leaving it asserts that there was no error and no other request."""
    context = browser.new_context(
        viewport=viewport, color_scheme=scheme, locale=locale, has_touch=viewport["width"] < 600, device_scale_factor=2 if viewport["width"] < 600 else 1
    )
    faults = []
    asked = lambda url: url.startswith(("data:", "blob:", "about:", *allowed))

    def route(route):
        url = route.request.url
        if asked(url):
            route.continue_()
        else:
            faults.append(f"asked for {url}")
            route.abort()

    context.route("**/*", route)
    page = context.new_page()

    def hear(message):
        refused = any(f"responded with a status of {status} " in message.text for status in refusals)
        if message.type in ("error", "warning") and not refused:
            faults.append(f"console: {message.text}")

    page.on("console", hear)
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    yield page
    context.close()
    assert not faults, "\n".join(faults)


def assert_fits(page):
    """No sideways scrolling of the page as a whole."""
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"the page is {wide} px wider than the window"


def assert_named(page):
    """Every picture has a text, every control a name, and headings skip no level."""
    missing = page.evaluate(
        """() => [...document.querySelectorAll('img:not([alt]), svg[role=img]:not([aria-label]):not(:has(> title))')]
             .map(element => element.outerHTML.slice(0, 80))"""
    )
    assert not missing, f"without a text: {missing}"
    silent = page.evaluate(
        """() => [...document.querySelectorAll('button, a[href], summary')]
             .filter(element => !(element.textContent.trim() || element.ariaLabel || element.title || element.querySelector('img[alt]')))
             .map(element => element.outerHTML.slice(0, 80))"""
    )
    assert not silent, f"without a name: {silent}"
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map(heading => +heading.tagName[1])")
    assert levels[:1] == [1] and all(b - a <= 1 for a, b in zip(levels, levels[1:])), f"levels of headings: {levels}"

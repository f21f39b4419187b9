"""`report.html` and the doctor's page in a real browser."""

import subprocess

from browser import DESKTOP, PHONE, arguments, assert_fits, assert_named, chromium, watched

LIMIT = 2_000_000

args = arguments()
pages = {}
for lang in ["en", "ko"]:
    pages[lang] = args.work / f"report.{lang}.html"
    # Korean with the doctor's findings: both forms of the data's section are looked at.
    doctor = ["--doctor"] if lang == "ko" else []
    command = [args.defrost, "report", "run", "--out", pages[lang], "--lang", lang, "-q", *doctor]
    subprocess.run(command, check=True, cwd=args.work)
doctor = args.work / "doctor.html"
subprocess.run([args.defrost, "doctor", "shapes", "--html", doctor, "-q", "--lang", "en"], check=True, cwd=args.work)


def column(page, table, index):
    cells = page.locator(f"{table} tbody tr").evaluate_all(f"rows => rows.map(row => row.cells[{index}].dataset.value ?? row.cells[{index}].textContent)")
    return cells


def check_sorting(page):
    table = "#classes table"
    names = column(page, table, 0)
    recall = page.locator(f"{table} th button").nth(2)
    recall.focus()
    page.keyboard.press("Enter")
    values = [float(value) for value in column(page, table, 2)]
    assert values == sorted(values, reverse=True), values
    assert page.locator(f"{table} th").nth(2).get_attribute("aria-sort") == "descending"
    recall.click()
    values = [float(value) for value in column(page, table, 2)]
    assert values == sorted(values), values
    page.locator(f"{table} th button").first.click()
    assert sorted(names) == column(page, table, 0), names


def check_pictures(page):
    broken = page.evaluate("Promise.all([...document.images].map(image => image.decode().then(() => null, () => image.alt))).then(all => all.filter(Boolean))")
    assert not broken, broken
    cards = page.locator("figure .opens")
    count = cards.count()
    assert count > 0, "no mistake is shown"
    cards.first.focus()
    page.keyboard.press("Enter")
    viewer = page.locator("#viewer")
    assert viewer.is_visible() and viewer.locator("img").count() == 3
    assert viewer.locator("img").first.evaluate("image => image.naturalWidth > 0 && image.getBoundingClientRect().width > 100")
    first = viewer.locator("code").text_content()
    page.keyboard.press("ArrowRight")
    assert count == 1 or viewer.locator("code").text_content() != first
    yield "viewer"
    page.keyboard.press("Escape")
    assert not viewer.is_visible()


def shot(page, name, full=True):
    page.screenshot(path=args.shots / f"{name}.png", full_page=full)


with chromium() as browser:
    checked = 0
    for lang, path in pages.items():
        assert path.stat().st_size < LIMIT, f"{path}: {path.stat().st_size} bytes"
        for viewport, device in [(DESKTOP, "desktop"), (PHONE, "phone")]:
            for scheme in ["light", "dark"]:
                with watched(browser, viewport, scheme, [path.as_uri()]) as page:
                    page.goto(path.as_uri())
                    assert page.evaluate("document.documentElement.lang") == lang
                    assert_fits(page)
                    assert_named(page)
                    shot(page, f"report-{lang}-{device}-{scheme}")
                    for step in check_pictures(page):
                        shot(page, f"report-{lang}-{device}-{scheme}-{step}", full=False)
                    check_sorting(page)
                    for link in page.locator("nav a").all():
                        target = link.get_attribute("href")
                        assert page.locator(target).count() == 1, target
                    checked += 1
    with watched(browser, DESKTOP, "light", [pages["en"].as_uri()]) as page:
        page.goto(pages["en"].as_uri())
        page.pdf(path=args.shots / "report-en.pdf", format="A4")
    for scheme in ["light", "dark"]:
        with watched(browser, PHONE, scheme, [doctor.as_uri()]) as page:
            page.goto(doctor.as_uri())
            assert_fits(page)
            assert_named(page)
            shot(page, f"doctor-phone-{scheme}")
            checked += 1
    sizes = ", ".join(f"{lang} {path.stat().st_size // 1000} kB" for lang, path in pages.items())
    print(f"report: {checked} views without an error or a request; {sizes}")

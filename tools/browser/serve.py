"""The page of `defrost serve`, driven as a person would: pictures in, classes out, a wrong answer marked.

usage: serve.py PROGRAM SHOTS    Screenshots go to the folder SHOTS. Run by tools/check-browser.
"""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
TOKEN = "a token for this test"


def defrost(program, *arguments, folder):
    subprocess.run([program, *map(str, arguments), "-q"], cwd=folder, check=True)


class Server:
    """`defrost serve` for as long as the block lasts; it must end well."""

    def __init__(self, program, folder, *arguments):
        command = [program, "serve", "run", "--addr", "127.0.0.1:0", "-q", *arguments]
        self.process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=30) == 0, "the server ends badly"


class Visit:
    """A page that must log no error and ask no other host."""

    def __init__(self, browser, url, **context):
        self.context = browser.new_context(**context)
        self.page, self.url, self.problems = self.context.new_page(), url, []
        self.page.on("console", lambda m: self.note(m) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda r: self.foreign(r.url))
        self.page.goto(url)

    def note(self, message):
        # A refusal that the page shows to the person is logged by the browser, too.
        if "the server responded with a status of 4" not in message.text:
            self.problems.append(message.text)

    def foreign(self, url):
        if not url.startswith((self.url, "blob:", "data:")):
            self.problems.append(f"a request to {url}")

    def shot(self, shots, name):
        self.page.wait_for_timeout(700)
        self.page.screenshot(path=shots / f"{name}.png", full_page=True)

    def close(self):
        overflow = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, f"the page is {overflow} pixels too wide"
        assert not self.problems, self.problems
        self.context.close()


def drop(page, files):
    """Drops files as the system does: an event that carries them."""
    transfer = page.evaluate_handle("new DataTransfer()")
    for path in files:
        data = list(path.read_bytes())
        page.evaluate(
            "([transfer, name, data]) => transfer.items.add(new File([new Uint8Array(data)], name, {type: 'image/jpeg'}))",
            [transfer, path.name, data],
        )
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})


def answered(page, count):
    expect(page.locator('.card:not([data-state="waiting"])')).to_have_count(count, timeout=60_000)


def classify(browser, server, folder, shots):
    pictures = [sorted((folder / "shapes" / name).iterdir())[7] for name in ("apple", "fish", "house", "tree", "umbrella")]
    said = json.loads(subprocess.run(
        [program, "predict", "run", *map(str, pictures), "--json"], cwd=folder, check=True, capture_output=True, text=True
    ).stdout)["predictions"]

    visit = Visit(browser, server.url, viewport=dict(zip(("width", "height"), SIZES["desktop"])), locale="en-GB")
    page = visit.page
    expect(page.locator("#about")).to_contain_text("6 classes")
    visit.shot(shots, "empty-desktop")
    drop(page, pictures)
    answered(page, 5)
    for prediction in said:
        card = page.locator(".card", has_text=Path(prediction["path"]).name)
        expect(card.locator(".class")).to_have_text(prediction["class"])
        expect(card.locator(".guesses li")).to_have_count(5)
        share = f"{100 * prediction['probability']:.1f}"
        expect(card.locator(".much").first).to_have_text(f"{share}%")
        assert card.locator("img").evaluate("image => image.complete && image.naturalWidth > 0")

    # A wrong answer is marked with the keyboard alone; nothing was kept until then.
    table = folder / "run" / "relabel.csv"
    assert not table.exists() and not (folder / "run" / "relabel").exists()
    card, prediction = page.locator(".card").first, said[0]
    right = next(name for name in ("tree", "fish") if name != prediction["class"])
    card.locator("select").focus()
    card.locator("select").select_option(right)
    expect(card).to_have_attribute("data-state", "marked")
    expect(page.locator("#command")).to_contain_text("defrost train shapes --relabel run/relabel.csv")
    [line] = list(csv.DictReader(table.open()))
    assert (line["class"], line["predicted"], line["name"]) == (right, prediction["class"], pictures[0].name), line
    assert (folder / "run" / line["path"]).read_bytes() == pictures[0].read_bytes()
    visit.shot(shots, "marked-desktop")

    # Taken back, and marked again.
    card.locator(".undo").click()
    expect(card).to_have_attribute("data-state", "done")
    assert not list(csv.DictReader(table.open())) and not list((folder / "run" / "relabel").iterdir())
    card.locator("select").select_option(right)
    expect(card).to_have_attribute("data-state", "marked")

    # A file that is no picture says so; by a chip, one class is shown.
    broken = folder / "broken.jpg"
    broken.write_bytes(b"no picture")
    page.set_input_files("#files", broken)
    answered(page, 6)
    expect(page.locator('.card[data-state="failed"] .problem')).to_contain_text("not a picture")
    page.locator(".chips button", has_text=right).first.click()
    expect(page.locator(".card:visible")).to_have_count(page.locator(".card .class", has_text=right).count())
    page.locator('.chips [aria-pressed="true"]').click()
    page.locator("#unsure").click()
    with page.expect_download() as download:
        page.locator("#save").click()
    rows = list(csv.DictReader(open(download.value.path())))
    assert [row["right_class"] for row in rows] == [right] + [""] * 5, rows
    visit.close()


def on_a_phone(browser, server, folder, shots):
    width, height = SIZES["phone"]
    visit = Visit(
        browser, server.url, viewport={"width": width, "height": height}, locale="ko-KR", color_scheme="dark", has_touch=True
    )
    page = visit.page
    expect(page.locator("html")).to_have_attribute("lang", "ko")
    expect(page.locator("#drop")).to_contain_text("사진을 놓으세요")
    visit.shot(shots, "empty-phone")
    page.set_input_files("#files", sorted((folder / "shapes" / "fish").iterdir())[:4])
    answered(page, 4)
    page.locator("select").first.select_option("house")
    expect(page.locator(".card").first).to_have_attribute("data-state", "marked")
    visit.shot(shots, "marked-phone")
    visit.close()


def with_a_token(browser, program, folder, shots):
    with Server(program, folder, "--token", TOKEN) as server:
        visit = Visit(browser, server.url, viewport={"width": 800, "height": 600}, locale="en-GB")
        page = visit.page
        page.fill("#token", "wrong")
        page.press("#token", "Enter")
        expect(page.locator("#login-problem")).to_have_text("That isn't the token.")
        visit.shot(shots, "token")
        page.fill("#token", TOKEN)
        page.press("#token", "Enter")
        page.set_input_files("#files", sorted((folder / "shapes" / "tree").iterdir())[:1])
        answered(page, 1)
        visit.close()


def main(program, shots):
    shots.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        folder = Path(folder)
        os.environ["DEFROST_CACHE"] = str(folder / "cache")
        defrost(program, "sample", "shapes", "--per-class", "12", "--size", "120", folder=folder)
        defrost(program, "train", "shapes", "--epochs", "8,0", "--augment", "none", "--out", "run", folder=folder)
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        with Server(program, folder) as server:
            classify(browser, server, folder, shots)
            on_a_phone(browser, server, folder, shots)
        with_a_token(browser, program, folder, shots)
        browser.close()
        # What was marked is learned from.
        defrost(program, "train", "shapes", "--relabel", "run/relabel.csv", "--epochs", "1,0", "--out", "again", folder=folder)
        outcome = json.loads((folder / "again" / "run.json").read_text())
        assert (outcome["relabelled"], outcome["added"]) == (2, 0), outcome
    print("serve: the page works; screenshots in", shots)


if __name__ == "__main__":
    program = str(Path(sys.argv[1]).resolve())
    main(program, Path(sys.argv[2]))

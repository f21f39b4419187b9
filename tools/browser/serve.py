"""The page of `defrost serve`, used as a person would: pictures in, classes out, evidence shown, a wrong answer marked and learned from."""

import contextlib
import csv
import json
import shutil
import signal
import subprocess

from playwright.sync_api import expect

from browser import DESKTOP, PHONE, arguments, assert_fits, assert_named, chromium, watched

TOKEN = "a token for this test"
args = arguments()
run, table = args.work / "served", args.work / "served" / "relabel.csv"
checked = 0


def defrost(*arguments):
    command = [args.defrost, *map(str, arguments)]
    return subprocess.run(command, cwd=args.work, check=True, capture_output=True, text=True).stdout


@contextlib.contextmanager
def serving(*arguments):
    """The address of a server, which must end well."""
    command = [args.defrost, "serve", "served", "--addr", "127.0.0.1:0", "-q", *arguments]
    server = subprocess.Popen(command, cwd=args.work, stdout=subprocess.PIPE, text=True)
    try:
        yield server.stdout.readline().strip()
    finally:
        server.send_signal(signal.SIGTERM)
        ended = server.wait(timeout=90)
    assert ended == 0, "the server ends badly"


@contextlib.contextmanager
def visit(browser, url, viewport, scheme, locale, name):
    """The page; at its end it must fit and be named, and it is drawn."""
    global checked
    with watched(browser, viewport, scheme, [url], locale, refusals=(401, 415)) as page:
        page.goto(url)
        yield page
        assert_fits(page)
        assert_named(page)
        shot(page, name)
        checked += 1


def shot(page, name):
    page.wait_for_timeout(700)  # the bars grow
    page.screenshot(path=args.shots / f"serve-{name}.png", full_page=True)


def pictures(name):
    return [path for path in sorted((args.work / "shapes" / name).iterdir()) if path.name != "broken.jpg"]


def drop(page, files):
    """Drops files as the system does: an event that carries them."""
    expect(page.locator("#drop")).to_be_visible()
    transfer = page.evaluate_handle("new DataTransfer()")
    for path in files:
        script = "([to, name, data]) => to.items.add(new File([new Uint8Array(data)], name, {type: 'image/jpeg'}))"
        page.evaluate(script, [transfer, path.name, list(path.read_bytes())])
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})


def choose(page, files):
    expect(page.locator("#drop")).to_be_visible()
    page.set_input_files("#files", files)


def answered(page, count):
    expect(page.locator('.card:not([data-state="waiting"])')).to_have_count(count, timeout=60_000)


def marks():
    with table.open() as lines:
        return list(csv.DictReader(lines))


def as_predict_says(page):
    files = [pictures(name)[7] for name in ("apple", "fish", "house", "tree", "umbrella")]
    said = json.loads(defrost("predict", "served", *files, "--json", "-q"))["predictions"]
    drop(page, files)
    answered(page, len(files))
    for path, prediction in zip(files, said):
        card = page.locator(".card", has_text=path.name)
        expect(card.locator(".guesses li")).to_have_count(5)
        expect(card.locator(".guesses .what").first).to_have_text(prediction["top"][0]["class"])
        expect(card.locator(".much").first).to_have_text(f"{100 * prediction['top'][0]['probability']:.1f}%")
        assert card.locator(".photo").evaluate("image => image.complete && image.naturalWidth > 0")
    return files, said


def evidence(card):
    """Shown and taken away from the keyboard; where it is shown, it covers the picture."""
    why, map = card.locator(".why"), card.locator(".map")
    why.focus()
    why.press("Enter")
    expect(why).to_have_attribute("aria-pressed", "true")
    box, photo = map.bounding_box(), card.locator(".photo").bounding_box()
    assert box == photo and map.evaluate("image => image.naturalWidth > 0"), (box, photo)
    assert map.get_attribute("alt")


def a_wrong_answer(page, files, said):
    """Nothing is kept before a person marks it, and nothing after it is taken back."""
    assert not table.exists() and not (run / "relabel").exists()
    card, predicted = page.locator(".card").first, said[0]["class"]
    right = next(name for name in ("tree", "fish") if name != predicted)
    card.locator("select").select_option(right)
    expect(card).to_have_attribute("data-state", "marked")
    expect(page.locator("#command")).to_contain_text("--relabel served/relabel.csv")
    [line] = marks()
    assert (line["class"], line["predicted"], line["name"]) == (right, predicted, files[0].name), line
    assert (run / line["path"]).read_bytes() == files[0].read_bytes()
    card.locator(".undo").click()
    expect(card).to_have_attribute("data-state", "done")
    assert not marks() and not list((run / "relabel").iterdir())
    card.locator("select").select_option(right)
    expect(card).to_have_attribute("data-state", "marked")
    return right


def everything_else(page, right):
    choose(page, args.work / "shapes" / "fish" / "broken.jpg")
    answered(page, 6)
    expect(page.locator('.card[data-state="failed"] .problem')).to_contain_text("not a picture")
    page.locator(".chips button", has_text=right).first.click()
    for card in page.locator(".card:visible").all():
        expect(card.locator(".class")).to_contain_text(right)
    page.locator('.chips [aria-pressed="true"]').click()
    page.locator("#unsure").click()
    with page.expect_download() as download:
        page.locator("#save").click()
    with open(download.value.path()) as lines:
        assert sorted(row["right_class"] for row in csv.DictReader(lines)) == [""] * 5 + [right]


shutil.copytree(args.work / "run", run)
with chromium() as browser:
    with serving() as url:
        with visit(browser, url, DESKTOP, "light", "en-GB", "empty-desktop") as page:
            expect(page.locator("#about")).to_contain_text("6 classes")
        with visit(browser, url, DESKTOP, "light", "en-GB", "desktop") as page:
            files, said = as_predict_says(page)
            evidence(page.locator(".card").nth(1))
            right = a_wrong_answer(page, files, said)
            shot(page, "marked-desktop")
            everything_else(page, right)
        with visit(browser, url, PHONE, "dark", "ko-KR", "phone") as page:
            expect(page.locator("html")).to_have_attribute("lang", "ko")
            expect(page.locator("#drop")).to_contain_text("사진을 놓으세요")
            choose(page, pictures("fish")[:4])
            answered(page, 4)
            evidence(page.locator(".card").nth(1))
            other = next(name for name in ("house", "tree") if page.locator(".card .class").first.text_content() != name)
            page.locator("select").first.select_option(other)
            expect(page.locator(".card").first).to_have_attribute("data-state", "marked")
    with serving("--token", TOKEN) as url:
        with visit(browser, url, PHONE, "light", "en-GB", "token") as page:
            page.fill("#token", "wrong")
            page.press("#token", "Enter")
            expect(page.locator("#login-problem")).to_have_text("That isn't the token.")
            shot(page, "wrong-token")
            page.fill("#token", TOKEN)
            page.press("#token", "Enter")
            choose(page, pictures("tree")[:1])
            answered(page, 1)

# What was marked is learned from.
defrost("train", "shapes", "--relabel", "served/relabel.csv", "--epochs", "1,0", "--augment", "none", "--out", "again", "-q")
outcome = json.loads((args.work / "again" / "run.json").read_text())
assert (outcome["relabelled"], outcome["added"]) == (2, 0), outcome
print(f"serve: {checked} views without an error or a request to elsewhere; what was marked is learned from")

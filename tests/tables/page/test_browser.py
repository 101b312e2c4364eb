"""The page in a real browser: Chromium, opened from disk, at a desk and on a phone."""

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.tables.page.sweeps import picture, write_sweep, written

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sweep = write_sweep(tmp_path_factory.mktemp("browser"))
    return written(sweep)


class Opened:
    """A page, with all it said and asked for."""

    def __init__(self, browser: Any, file: Path, viewport: dict[str, int], **options: Any) -> None:
        self.context = browser.new_context(viewport=viewport, **options)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(file.as_uri())
        self.page.wait_for_load_state("networkidle")

    def __enter__(self) -> "Opened":
        return self

    def __exit__(self, *error: object) -> None:
        self.context.close()


def test_it_opens_from_disk_in_silence_and_asks_for_nothing(browser: Any, page_file: Path):
    with Opened(browser, page_file, DESK) as opened:
        assert opened.said == []
        assert [url for url in opened.asked if not url.startswith("data:")] == [page_file.as_uri()]
        images = opened.page.eval_on_selector_all("img", "all => all.map(one => one.complete && one.naturalWidth > 0)")
        assert images == [True] * 22
        for section in ("scores", "frames", "maps", "worst", "curves", "protocol", "commands"):
            assert opened.page.locator(f"#{section} h2").is_visible()
        assert opened.page.locator("img.chart").count() == 9
        # the style sheet is in force: a policy that refused it would leave the browser's own font
        assert "system-ui" in opened.page.eval_on_selector("body", "body => getComputedStyle(body).fontFamily")


def share_of_source(stage: Any) -> float:
    """Where the output begins, as the browser has it."""
    clip = stage.locator(".output").first.evaluate("image => getComputedStyle(image).clipPath")
    return float(clip.removeprefix("inset(").rstrip(")%").split()[-1].rstrip("%"))


def test_the_slider_follows_keys_and_pointer(browser: Any, page_file: Path):
    with Opened(browser, page_file, DESK) as opened:
        stage = opened.page.locator(".stage").first
        assert share_of_source(stage) == 50
        stage.locator("input").focus()
        for _ in range(5):
            opened.page.keyboard.press("ArrowRight")
        assert share_of_source(stage) == 55
        box = stage.bounding_box()
        stage.locator("input").click(position={"x": 0.2 * box["width"], "y": box["height"] / 2})
        assert 17 <= share_of_source(stage) <= 23
        assert share_of_source(opened.page.locator(".stage").nth(1)) == 50


def test_a_finger_moves_the_slider_on_a_phone(browser: Any, page_file: Path):
    with Opened(browser, page_file, PHONE, has_touch=True, is_mobile=True, device_scale_factor=3) as opened:
        stage = opened.page.locator(".stage").first
        box = stage.bounding_box()
        stage.locator("input").tap(position={"x": 0.75 * box["width"], "y": box["height"] / 2})
        assert 70 <= share_of_source(stage) <= 80


def test_the_row_is_chosen_for_all_frames(browser: Any, page_file: Path):
    with Opened(browser, page_file, DESK) as opened:
        shown = ".stage .output:not(.away)"
        alts = "all => all.map(one => one.alt)"
        assert opened.page.eval_on_selector_all(shown, alts) == ["output of cut"] * 3
        opened.page.get_by_role("radio", name="triplet").check()
        assert opened.page.eval_on_selector_all(shown, alts) == ["output of triplet"] * 3
        opened.page.keyboard.press("ArrowUp")
        assert opened.page.eval_on_selector_all(shown, alts) == ["output of cut"] * 3


@pytest.mark.parametrize("width", [390, 320, 768])
def test_a_narrow_page_does_not_scroll_sideways(width: int, browser: Any, page_file: Path):
    with Opened(browser, page_file, {"width": width, "height": 844}, is_mobile=True, has_touch=True) as opened:
        root = "document.documentElement"
        assert opened.page.evaluate(f"{root}.scrollWidth") <= width
        wider = opened.page.evaluate(
            """() => [...document.querySelectorAll('body *')]
                .filter(one => !one.closest('.scroll, pre, svg, .hidden'))
                .filter(one => one.getBoundingClientRect().right > innerWidth + 0.5).map(one => one.outerHTML)"""
        )
        assert wider == []
        inputs = opened.page.locator(".stage input").first.bounding_box()
        assert inputs["height"] > 40  # room for a finger


def test_differences_are_read_on_a_phone_without_scrolling(browser: Any, page_file: Path):
    with Opened(browser, page_file, PHONE, is_mobile=True, has_touch=True) as opened:
        table = opened.page.locator("table.tests")
        assert table.evaluate("one => one.scrollWidth <= one.parentElement.clientWidth")
        first = table.locator("tbody tr").first
        assert first.locator("td").first.evaluate("one => getComputedStyle(one, '::before').content") == '"score"'
        assert [one.is_visible() for one in first.locator("td").all()] == [True] * 8
        rows = [one.bounding_box()["height"] for one in first.locator("td").all()]
        assert max(rows) < 60  # two lines of text at most


def test_pictures_of_all_panels_are_of_one_size(browser: Any, tmp_path: Path):
    """The panel of a method without maps is as high as the others, and not as wide."""
    sweep = write_sweep(tmp_path, variants=("cut", "cyclegan"), seeds=1)
    picture(sweep / "cyclegan_0/images/epoch_0005.png", 200, 150, 1)
    with Opened(browser, written(sweep), DESK) as opened:
        boxes = [one.bounding_box() for one in opened.page.locator("img.alike").all()]
    assert [round(box["height"]) for box in boxes] == [240, 240]
    assert [round(box["width"]) for box in boxes] == [1080, 180]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_legible_in_both_schemes(scheme: str, browser: Any, page_file: Path):
    """WCAG 2's contrast of at least 4.5 between text and page."""
    with Opened(browser, page_file, DESK, color_scheme=scheme) as opened:
        colours = opened.page.evaluate(
            """() => Object.fromEntries(['body', '.lead', '.missing', 'nav a', 'dt', 'figcaption'].flatMap(name => {
                const found = document.querySelector(name);
                return found ? [[name, getComputedStyle(found).color]] : [];
            }).concat([['page', getComputedStyle(document.body).backgroundColor]]))"""
        )
    page = luminance(colours.pop("page"))
    assert (page > 0.5) == (scheme == "light")
    for name, colour in colours.items():
        low, high = sorted((luminance(colour), page))
        assert (high + 0.05) / (low + 0.05) >= 4.5, name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_charts_are_legible_in_both_schemes(scheme: str, browser: Any, page_file: Path):
    """The letters of their axes: black as drawn, and turned to white with the page."""
    with Opened(browser, page_file, DESK, color_scheme=scheme) as opened:
        picture = Image.open(io.BytesIO(opened.page.locator("#scores img.chart").first.screenshot())).convert("L")
    dark, bright = picture.getextrema()
    most = max(picture.getcolors())[1]
    assert bright - dark > 200
    assert (most > 128) == (scheme == "light")


def luminance(colour: str) -> float:
    channels = [int(value) / 255 for value in colour.removeprefix("rgb(").rstrip(")").split(",")]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_strangers_names_run_nothing(browser: Any, tmp_path: Path):
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    sweep = write_sweep(tmp_path, variants=("cut", evil.replace("/", "")), seeds=1)
    with Opened(browser, written(sweep), DESK) as opened:
        assert opened.said == []
        assert opened.page.evaluate("document.scripts.length") == 1
        assert opened.page.get_by_text("<img src=x onerror=alert(1)>").count() > 0

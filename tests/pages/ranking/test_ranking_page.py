"""The ranking page in a browser: keys, zoom, undo, continuing later, several judges."""

import json

from playwright.sync_api import expect

from ejectamap.pages.ranking.app import ranking_app
from ejectamap.pages.ranking.study import open_study
from page_clients import served


def begin(page, address, judge, count):
    page.goto(address)
    page.fill("#name", judge)
    press(page, "Enter", count)


def press(page, key, count):
    page.keyboard.press(key)
    expect(page.locator("#count")).to_have_text(count)
    expect(page.locator("#panels")).not_to_have_class("loading")


def transforms(page):
    return [stage.evaluate("s => s.style.transform") for stage in page.locator(".stage").all()]


def sources(page):
    return [image.get_attribute("src") for image in page.locator("#panels img").all()]


def test_judging_in_a_browser(browser, project, maps):
    study = open_study(project, maps, None)
    with served(ranking_app(study)) as address:
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        requests, problems = [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text))
        begin(page, address, "Ann", "0 of 3")
        expect(page.locator("#crater")).to_have_text("<img src=x onerror=alert(1)> & $x$")
        images = sources(page)
        assert images[0] == images[2]
        assert images[1] != images[3]
        for image in page.locator("#panels img").all():
            assert image.evaluate("i => i.naturalWidth") > 0

        # Both panels zoom and move together.
        page.locator(".panel").first.hover(position={"x": 100, "y": 100})
        page.mouse.wheel(0, -800)
        page.wait_for_function(
            "document.querySelector('.stage').style.transform.includes('scale(3')"
        )
        zoomed, other = transforms(page)
        assert zoomed == other
        page.mouse.down()
        page.mouse.move(150, 250, steps=3)
        page.mouse.up()
        assert zoomed != transforms(page)[0] == transforms(page)[1]
        page.keyboard.press("Space")
        expect(page.locator(".map").first).to_be_hidden()
        page.keyboard.press("Space")
        expect(page.locator(".map").last).to_be_visible()
        page.keyboard.press("0")
        assert "scale(1)" in transforms(page)[0]

        press(page, "1", "1 of 3")
        second = sources(page)
        press(page, "2", "2 of 3")
        press(page, "u", "1 of 3")
        assert sources(page) == second
        press(page, "t", "2 of 3")

        begin(page, address, "Bo", "0 of 3")
        for key, count in (("2", "1 of 3"), ("t", "2 of 3")):
            press(page, key, count)
        page.get_by_role("button", name="Left is better").click()
        expect(page.locator("#done")).to_be_visible()
        page.keyboard.press("u")
        expect(page.locator("#count")).to_have_text("2 of 3")

        begin(page, address, "Ann", "2 of 3")
        page.close()
    assert problems == []
    assert all(url.startswith((address.partition("?")[0], "data:")) for url in requests)
    lines = [json.loads(line) for line in study.choices_path.read_text().splitlines()]
    assert [(line["judge"], line["question"], line["answer"]) for line in lines] == [
        ("Ann", 0, "left"),
        ("Ann", 1, "right"),
        ("Ann", 1, "undo"),
        ("Ann", 1, "tie"),
        ("Bo", 0, "right"),
        ("Bo", 1, "tie"),
        ("Bo", 2, "left"),
        ("Bo", 2, "undo"),
    ]


def test_lost_server_is_reported(browser, project, maps):
    with served(ranking_app(open_study(project, maps, None))) as address:
        page = browser.new_page()
        begin(page, address, "Ann", "0 of 3")
    page.keyboard.press("1")
    expect(page.locator("#error")).to_contain_text("is ejectamap rank still running?")
    page.close()

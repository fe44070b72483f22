"""The page in a real browser: drawn on, rubbed out, and what its canvases show afterwards.

Run with the environment variable SCREENSHOTS=folder, it leaves pictures there to be looked at.
"""

import base64
import os
import pathlib
import shutil

import numpy as np
import pytest

import zoo
from zoo.serving.served import serve_model

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
MODELS = ("hmc_dlgm_digits", "vae_digits", "m1_m2_mnist")
WIDTHS = {"phone": 360, "desk": 1280}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def selenium():
    if not (CHROMIUM and DRIVER):
        pytest.skip("there is no chromium with its chromedriver")
    return pytest.importorskip("selenium", reason="there is no selenium")


@pytest.fixture(scope="module")
def models():
    return {name: zoo.from_preset(name) for name in MODELS}


@pytest.fixture(scope="module")
def address(models):
    from zoo.serving import demo
    from zoo.serving.guard import Limits
    from zoo.serving.server import make_app, running

    served = [serve_model(name, m, f"zoo.from_preset({name!r})") for name, m in models.items()]
    app = make_app(served, limits=Limits(max_steps=10_000))
    demo.add_page(app)
    with running(app) as address:
        yield address


@pytest.fixture(params=WIDTHS)
def page(request, selenium, address):
    from selenium import webdriver

    options, width = webdriver.ChromeOptions(), WIDTHS[request.param]
    options.binary_location = CHROMIUM
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        metrics = {"width": width, "height": 1200, "deviceScaleFactor": 1, "mobile": width < 500}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        driver.get(f"{address}/demo/")
        wait(driver)
        yield driver
        assert [e for e in driver.get_log("browser") if e["level"] == "SEVERE"] == []
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width
        if folder := os.environ.get("SCREENSHOTS"):
            path = pathlib.Path(folder) / f"{request.node.name}.png"
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics | {"height": 3200})
            driver.save_screenshot(str(path))
    finally:
        driver.quit()


def at(driver, name):
    return driver.find_element("id", name)


def wait(driver, found=lambda driver: at(driver, "run").get_attribute("data-state") == "done"):
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(driver, 60, 0.05).until(found)


def click(driver, element):
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    element.click()


def levels(driver, selector):
    """What canvases show, [number, height, width], of grey levels 0 to 255."""
    script = """
        return [...document.querySelectorAll(arguments[0])].map((canvas) => {
          const { width, height } = canvas;
          const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
          return [width, height, btoa(String.fromCharCode(...data))];
        });
    """
    shown = []
    for width, height, text in driver.execute_script(script, selector):
        rgba = np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)
        shown.append(rgba[..., :3])
    return np.stack(shown)


def run_code(driver):
    """What names mean after the Python that the page shows."""
    names = {}
    exec(at(driver, "code").get_attribute("textContent"), names)
    return names


def choose(driver, name):
    driver.execute_script("document.getElementById('run').dataset.state = ''")
    change = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))"
    driver.execute_script(change, at(driver, "model"), name)
    wait(driver)


def complete(driver):
    driver.execute_script("document.getElementById('run').dataset.state = ''")
    click(driver, at(driver, "run"))
    wait(driver)


def drag(driver, tool, *points):
    """Draws a line through points, shares of the editor's width and height."""
    from selenium.webdriver import ActionChains

    click(driver, driver.find_element("css selector", f"input[value={tool}]"))
    editor = at(driver, "editor")
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", editor)
    size, actions = editor.size, ActionChains(driver, 10)
    for k, (x, y) in enumerate(points):
        actions.move_to_element_with_offset(
            editor, (x - 0.5) * size["width"], (y - 0.5) * size["height"]
        )
        if k == 0:
            actions.click_and_hold()
    actions.release().perform()


def test_the_first_completion_is_there_without_a_click(page):
    assert len(levels(page, "#completions canvas")) == 8
    assert at(page, "told").text.startswith("transition 100 of 100")


def test_what_is_drawn_and_rubbed_out_is_completed_as_by_the_model(page, models):
    click(page, at(page, "clear"))
    drag(page, "draw", (0.44, 0.1), (0.44, 0.9))
    drag(page, "hide", (0.1, 0.8), (0.9, 0.8))
    complete(page)
    names = run_code(page)
    x, visible, completed = names["x"][0], names["visible"][0], names["completed"]
    assert x[1:7, 3].min() > 0.5  # the line
    assert x[:, 6:].max() == 0
    assert visible[:4].all() and not visible[6, 1:7].any()
    shown = levels(page, "#completions canvas")
    assert len(shown) == len(completed) == 8
    np.testing.assert_array_equal(shown[..., 0], np.rint(completed[..., 0] * 255))
    own = models["hmc_dlgm_digits"].inpaint(names["x"], names["visible"], 0, 100)
    assert np.abs(own["mean"] - completed).mean() < 0.2  # with other random numbers, those of XLA
    mean, deviation = levels(page, "#mean")[0, ..., 0], levels(page, "#uncertainty")[0, ..., 0]
    np.testing.assert_allclose(mean, shown[..., 0].mean(0), atol=0.51)
    np.testing.assert_allclose(deviation, 2 * shown[..., 0].std(0), atol=0.51)
    assert deviation[visible[..., 0]].max() == 0


def test_frames_come_while_the_chain_moves(page):
    steps = at(page, "steps")
    steps.clear()
    steps.send_keys("4000")
    page.execute_script("document.getElementById('run').dataset.state = ''")
    click(page, at(page, "run"))
    seen = set()

    def moves(driver):
        seen.add(int(at(driver, "progress").get_attribute("value")))
        return len(seen) > 3

    wait(page, moves)
    click(page, at(page, "stop"))
    wait(page, lambda driver: at(driver, "told").text == "stopped")
    assert at(page, "run").get_attribute("data-state") == "ended"
    assert max(seen) < 4000


def test_keys_draw_and_another_model_answers(page):
    from selenium.webdriver.common.keys import Keys

    click(page, at(page, "clear"))
    editor = at(page, "editor")
    page.execute_script("arguments[0].focus()", editor)
    before = levels(page, "#editor")
    editor.send_keys("d", Keys.ARROW_UP, Keys.ARROW_LEFT, Keys.SPACE)
    page.execute_script("arguments[0].blur()", editor)
    changed = (levels(page, "#editor") != before).any(-1)[0]
    assert changed[4, 3] and changed.sum() < 10
    editor.send_keys("r", Keys.SPACE)
    assert page.find_element("css selector", "input[value=hide]").is_selected()
    choose(page, "vae_digits")
    assert "zoo.from_preset('vae_digits')" in at(page, "code").get_attribute("textContent")


def test_samples_and_a_walk(page):
    click(page, at(page, "sample"))
    wait(page, lambda driver: len(elements(driver, "#samples canvas")) == 16)
    click(page, at(page, "keep-first"))
    before = levels(page, "#editor")
    click(page, at(page, "example"))
    wait(page, lambda driver: (levels(driver, "#editor") != before).any())
    click(page, at(page, "walk"))
    wait(page, lambda driver: "Take a first and a second" in at(driver, "told").text)
    click(page, at(page, "keep-second"))
    click(page, at(page, "walk"))
    wait(page, lambda driver: len(elements(driver, "#walked canvas")) == 12)
    walked = run_code(page)["walked"]
    np.testing.assert_array_equal(
        levels(page, "#walked canvas")[..., 0], np.rint(walked * 255)[..., 0]
    )


def test_classes_and_styles(page):
    choose(page, "m1_m2_mnist")
    click(page, at(page, "classify"))
    wait(page, lambda driver: len(elements(driver, "#probabilities li")) == 10)
    told = [float(item.text.split()[0]) for item in elements(page, "#probabilities li")]
    np.testing.assert_allclose(100 * run_code(page)["probabilities"], told, atol=0.051)
    click(page, at(page, "styles"))
    wait(page, lambda driver: len(elements(driver, "#styled canvas")) == 10)
    styled = run_code(page)["styled"]
    np.testing.assert_array_equal(
        levels(page, "#styled canvas")[..., 0], np.rint(styled * 255)[..., 0]
    )


def test_a_picture_is_uploaded(page, tmp_path):
    import PIL.Image

    picture = np.zeros([40, 60, 3], np.uint8)
    picture[:, 30:] = 255
    PIL.Image.fromarray(picture).save(tmp_path / "half.png")
    click(page, page.find_element("css selector", "[data-hide=none]"))
    at(page, "upload").send_keys(str(tmp_path / "half.png"))
    wait(page, lambda driver: levels(driver, "#editor")[0, :, 6:].min() > 250)
    assert levels(page, "#editor")[0, :, :3].max() < 5
    (tmp_path / "no.png").write_text("no")
    at(page, "upload").send_keys(str(tmp_path / "no.png"))
    wait(page, lambda driver: "no image" in at(driver, "told").text)


def elements(driver, selector):
    return driver.find_elements("css selector", selector)

"""The simulation's page in Chromium: it fetches nothing, and its cursor tells the values under it."""

from pathlib import Path

from penstock.model.function import Architecture
from penstock.simulate.cost import Comparison, monthly_cost
from penstock.simulate.page import as_page
from penstock.simulate.rates import simulate_rates
from penstock.simulate.traffic import Constant
from support.browser import Browser
from support.simulations import plan, simulated

POINT_AT = """\
(() => {
  const svg = document.querySelectorAll("svg")[2];
  const box = svg.getBoundingClientRect();
  const at = { clientX: box.left + box.width / 2, clientY: box.top + 20, bubbles: true };
  svg.dispatchEvent(new PointerEvent("pointermove", at));
  const tip = document.getElementById("tip");
  const shown = [getComputedStyle(tip).visibility, tip.textContent];
  svg.dispatchEvent(new PointerEvent("pointerleave", at));
  return JSON.stringify([...shown, getComputedStyle(tip).visibility]);
})()"""


def test_the_cursor_tells_the_values_under_it(browser: Browser, tmp_path: Path) -> None:
    function = simulated()
    story = plan(Constant(20), seconds=3600, of=function)
    result = simulate_rates(story)
    comparison = Comparison(0.2, 2048, Architecture.X86_64)
    path = tmp_path / "report.html"
    path.write_text(as_page(function, story, result, [monthly_cost(result, comparison)], [], comparison, "constant:20"))
    tab = browser.open(path.as_uri())
    assert "App" in tab.text_with("on ordinary Lambda")
    told = tab.evaluate(POINT_AT)
    assert isinstance(told, str)
    # The middle of the picture is a little left of the middle of the hour.
    assert told == '["visible","27m45s\\nserving  3\\non their way  0","hidden"]'
    assert tab.evaluate("performance.getEntriesByType('resource').length") == 0

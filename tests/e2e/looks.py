"""What is looked at on a page in the browser: axe's rules, Tab alone, the width, what jumps."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Page

SCRIPT: Final = Path(__file__).with_name("looks.js")
"""Put into each page before its own scripts."""
RULES: Final = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}
COLOURS: Final = {"type": "rule", "values": ["color-contrast"]}
"""The one rule that light and dark can tell apart."""
SIZES: Final = {
    "type": "rule",
    "values": [
        "button-name",
        "color-contrast",
        "link-name",
        "scrollable-region-focusable",
        "target-size",
    ],
}
"""Those that a narrow page can fail when the wide one passes."""
AXE: Final = """async ([within, only]) => {
  const options = {runOnly: only, resultTypes: ["violations"], preload: false};
  return (await axe.run(within, options)).violations;
}"""
MOST_TABS: Final = 400
TABS_AT_ONCE: Final = 10
MOST_SHIFT: Final = 0.1
"""The bar of Core Web Vitals for a page that does not jump."""


async def rules(page: Page, within: str = ":root", only: dict[str, Any] = RULES) -> list[str]:
    """What axe finds in that part of the page."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE_SCRIPT)
    return [
        f"{violation['id']}: {node['target']} {_why(node)}"
        for violation in await page.evaluate(AXE, [within, only])
        for node in violation["nodes"][:3]
    ]


def _why(node: dict[str, Any]) -> str:
    checks = [*node["any"], *node["all"], *node["none"]]
    return "; ".join(check["message"] for check in checks)[:300]


async def width(page: Page) -> list[str]:
    """What makes the page scroll sideways."""
    return list(await page.evaluate("looks.wider()"))


async def refused(page: Page) -> list[str]:
    """What the content policy refused."""
    return list(await page.evaluate("looks.settled().then(() => looks.refused)"))


async def jumps(page: Page) -> list[str]:
    """Whether the page jumped while it loaded."""
    shifted = float(await page.evaluate("looks.settled().then(() => looks.shifted)"))
    return [f"jumps by {shifted:.3f}"] if shifted > MOST_SHIFT else []


async def tabs(page: Page) -> list[str]:
    """What Tab alone does not reach, does not show, or shows below something else."""
    presses = int(await page.evaluate("looks.begin()"))
    pressed = 0
    while pressed < MOST_TABS:
        for _press in range(presses):
            await page.keyboard.press("Tab")
        pressed += presses
        if await page.evaluate("looks.walked.isOver"):
            break
        presses = TABS_AT_ONCE
    return list(await page.evaluate("[...looks.walked.found, ...looks.missed()]"))

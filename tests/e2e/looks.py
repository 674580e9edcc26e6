"""What is looked at on a page in the browser: axe's rules, Tab alone, the width, what jumps."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

SCRIPT: Final = Path(__file__).with_name("looks.js")
"""Put into each page before its own scripts."""
RULES: Final = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]
MOST_TABS: Final = 400
MOST_SHIFT: Final = 0.1
"""The bar of Core Web Vitals for a page that does not jump."""


async def rules(page: Page) -> list[str]:
    """What axe finds."""
    options = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
    found = await Axe().run(page, options=options)
    return [
        f"{violation['id']}: {node['target']} {_why(node)}"
        for violation in found.response["violations"]
        for node in violation["nodes"][:3]
    ]


def _why(node: dict[str, Any]) -> str:
    checks = [*node["any"], *node["all"], *node["none"]]
    return "; ".join(check["message"] for check in checks)[:300]


async def width(page: Page) -> list[str]:
    """What makes the page scroll sideways."""
    return list(await page.evaluate("looks.wider()"))


async def jumps(page: Page) -> list[str]:
    shifted = float(await page.evaluate("looks.shifted"))
    return [f"jumps by {shifted:.3f}"] if shifted > MOST_SHIFT else []


async def tabs(page: Page) -> list[str]:
    """What Tab alone does not reach, does not show, or shows below something else."""
    found = []
    await page.evaluate("looks.begin()")
    for _press in range(MOST_TABS):
        await page.keyboard.press("Tab")
        at = await page.evaluate("looks.focused()")
        if at is None:
            break
        if not at["drawn"]:
            found.append(f"focus cannot be seen on {at['name']}")
        if not at["seen"]:
            found.append(f"something lies over {at['name']}")
    missed = await page.evaluate("looks.missed()")
    return [*found, *[f"Tab does not reach {name}" for name in missed]]

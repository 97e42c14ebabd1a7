"""The documentation page: everything from this server, nothing inline, kept by the browser."""

import re

import pytest

from tests.api.office import Office

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def page_of(office: Office) -> str:
    """Fetch the page."""
    return (await office.call("GET", "/docs", key=None)).text


async def test_the_page_asks_nobody_else(quiet_office: Office) -> None:
    """Every address on it is of this server, and the policy allows no other and nothing inline."""
    answer = await quiet_office.call("GET", "/docs", key=None)
    addresses = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert addresses
    assert all(address.startswith("/") or address == "data:," for address in addresses)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert re.findall(r"<script(?![^>]*src=)|<style| on\w+=| style=", answer.text) == []


async def test_what_the_page_names_is_there_and_may_be_kept(quiet_office: Office) -> None:
    """Scripts and style sheets are served with their types, for a year, under addresses that follow their content."""
    addresses = re.findall(r'"(/docs/assets/[^"]+)"', await page_of(quiet_office))
    assert len(addresses) == 4
    for address in addresses:
        assert re.search(r"\?v=[0-9a-f]{12}$", address)
        async with quiet_office.client.get(address) as response:
            assert response.status == 200
            assert response.content_type in {"text/css", "text/javascript", "application/javascript"}
            assert "immutable" in response.headers["Cache-Control"]
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert await response.read()


async def test_without_scripts_the_reader_is_led_to_the_document(quiet_office: Office) -> None:
    """A browser without JavaScript says what to open instead."""
    page = await page_of(quiet_office)
    noscript = page.partition("<noscript>")[2].partition("</noscript>")[0]
    assert 'href="/openapi.json"' in noscript


async def test_no_other_file_is_served(quiet_office: Office) -> None:
    """The folder of assets is not a way to other files."""
    for name in ("LICENSE", "..%2Fdocs.py", "..%2f..%2fsettings.py", ""):
        async with quiet_office.client.get(f"/docs/assets/{name}") as response:
            assert response.status == 404

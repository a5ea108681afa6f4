"""The chat page as the gateway serves it: complete, closed to everything foreign, plain to read."""

from __future__ import annotations

import json
import re

import pytest

from gogate_trio.demo.assets import pages

BACKEND = "http://127.0.0.1:4711"


@pytest.fixture(scope="module")
def served():
    """The pages by path."""
    return pages(BACKEND, epoch="e")


def directives(page):
    """The page's Content-Security-Policy as a mapping."""
    policy = dict(page.headers)["Content-Security-Policy"]
    return {
        name: set(what.split()) for name, _, what in (d.partition(" ") for d in policy.split("; "))
    }


def test_the_page_is_at_demo_with_and_without_a_slash(served):
    """Both are the same page, and its file name is not an address."""
    assert served["/demo"] == served["/demo/"]
    assert served["/demo"].content_type == "text/html; charset=utf-8"
    assert "/demo/index.html" not in served


def test_whatever_the_page_names_is_there(served):
    """Every script, style sheet, icon and imported module is served, with its type."""
    named = set(re.findall(r'(?:src|href)="(/demo/[^"]+)"', served["/demo"].body.decode()))
    for path, page in served.items():
        if path.endswith(".js"):
            imports = re.findall(r'from "\./([^"]+)"', page.body.decode())
            named |= {f"/demo/{name}" for name in imports}

    assert {"/demo/app.js", "/demo/gateway.js", "/demo/style.css"} <= named
    assert named <= set(served)
    assert {served[path].content_type.partition(";")[0] for path in named} == {
        "text/javascript",
        "text/css",
        "image/svg+xml",
    }


def test_every_id_the_scripts_ask_for_is_in_the_page(served):
    """``byId`` never finds nothing."""
    scripts = "".join(page.body.decode() for path, page in served.items() if path.endswith(".js"))
    asked = set(re.findall(r'byId\("([^"]+)"\)', scripts))

    assert asked
    assert asked <= set(re.findall(r' id="([^"]+)"', served["/demo"].body.decode()))


def test_the_page_learns_where_the_backend_is(served):
    """And the name of the database behind it."""
    config = json.loads(served["/demo/config.json"].body)

    assert config == {"backend": BACKEND, "websocket": "/ws", "epoch": "e"}


def test_the_policy_allows_the_page_and_its_backend_alone(served):
    """No inline script or style, no foreign address, no frame around it, on any path."""
    for page in served.values():
        policy = directives(page)

        assert policy["default-src"] == {"'none'"}
        assert policy["script-src"] == policy["style-src"] == {"'self'"}
        assert BACKEND in policy["connect-src"]
        assert (
            policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == {"'none'"}
        )
        assert not any(
            "unsafe" in word or word == "*" for words in policy.values() for word in words
        )


def test_nothing_of_an_earlier_start_is_kept(served):
    """The next start may have another backend at the same address."""
    assert all(dict(page.headers)["Cache-Control"] == "no-store" for page in served.values())


def test_data_never_becomes_markup(served):
    """The scripts have no way to write HTML, and the page no inline script or style."""
    for path, page in served.items():
        text = page.body.decode()
        if path.endswith(".js"):
            assert not re.search(
                r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text
            )
        if page.content_type.startswith("text/html"):
            assert not re.search(r"<script(?![^>]* src=)|<style| style=| on\w+=", text)

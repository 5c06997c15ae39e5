"""HTML as text."""

from __future__ import annotations

from usage_watch.web.page.html import pairs


def test_what_has_no_name_goes_on_with_the_one_before() -> None:
    assert (
        pairs([("Expected", "5"), ("", "<4> later")]) == "<dl><dt>Expected</dt><dd>5</dd><dd>&lt;4&gt; later</dd></dl>"
    )

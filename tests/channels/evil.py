"""What the world may call a model, a project or a member, or say in an error."""

from __future__ import annotations

from hypothesis import strategies as st

EVIL = [
    "<!channel>",
    "<!here|here>",
    "<!subteam^S1>",
    "<@U012345>",
    "<#C012345>",
    "<https://evil.example|Dashboard>",
    "&lt;!channel&gt;",
    "&amp;",
    "@here",
    "*bold*",
    "_italic_",
    "~gone~",
    "`code`",
    "```",
    ":rotating_light:",
    "> quote",
    "https://evil.example/",
    "javascript:alert(1)",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<!--",
    "]]>",
    "</title></head>",
    "=?utf-8?q?hi=0D=0AX-Evil=3A_1?=",
    "\r\nX-Evil: 1",
    "\r\n.\r\nQUIT\r\n",
    "--=_ntf_5e6f7a8b9c0d--",
    "\x1b[31m",
    "\x1b]8;;https://evil.example\x07",
    "\x9b2J",
    "\u202e",
    "\u2066",
    "\u2028",
    "\x85",
    "\0",
    "\ud800",
]
text_from_outside = st.one_of(
    st.lists(st.one_of(st.sampled_from(EVIL), st.text(max_size=8)), max_size=4).map("".join), st.text(max_size=400)
)

"""Names that ran as script or broke the page in plain folium 0.20 (reference/venues-maps.md 2.4), and some more."""

HOSTILE_NAMES: dict[str, str] = {
    "image": '<img src=x onerror="window.__pwned=1">',
    "script": "</script><script>window.__pwned=1</script>",
    "template": "${window.__pwned=1}",
    "backslash-backtick": "\\`+(window.__pwned=1)+`",
    "lone-backtick": "量贩`KTV",
    "attribute": "\"'><svg onload=window.__pwned=1>",
    "comment": "<!--<script>window.__pwned=1//",
    "jinja": "{{ this.get_name() }}{% raw %}",
    "remote-image": '<img src="http://evil.example/x.png">',
    "remote-link": 'a href="https://evil.example" src=//evil.example/x.js',
    "line-separator": "甲\u2028乙",
    "right-to-left": "云龙\u202eVTK",
    "policy": "<!-- content-security-policy -->",
    "very-long": "很长的名字" * 60,
}

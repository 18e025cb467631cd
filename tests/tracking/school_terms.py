"""A made-up school calendar of a made-up city, as its bureau of education would announce it."""

SCHOOL = """
[[school]]
region = "320300"
name = "合成市中小学"
document = "合成市教育局通知〔2026〕1号"
from = 2026-01-01
to = 2026-08-31
vacation = [
  { name = "寒假", from = 2026-02-02, to = 2026-02-28 },
  { name = "暑假", from = 2026-07-04, to = 2026-08-31 },
]
"""

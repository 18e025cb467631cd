"""Whether a name may be said: an alias, or a surname with 某 (王某). A full name never is (未成年人保护法 103)."""

import re

SURNAMES = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖萧田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪"
    "范金石廖贾夏韦付傅方白邹孟熊秦邱江尹薛闫阎段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤常温康施文牛樊葛邢安齐易乔伍庞"
    "颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍涂成苗谷盛曲翁冉骆蓝路游辛靳管柴蒙鲍华喻祁"
    "蒲房滕屈饶解牟艾尤阳时穆农司卓古吉缪简车项连芦麦褚娄窦戚岑景党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边卞姬师和仇栾"
)
"""The surnames of more than nine in ten people in China, simplified."""

COMPOUND_SURNAMES = (
    "欧阳",
    "上官",
    "司马",
    "诸葛",
    "东方",
    "皇甫",
    "尉迟",
    "公孙",
    "慕容",
    "令狐",
    "夏侯",
    "司徒",
    "端木",
    "南宫",
)

NEUTRAL_NAME: dict[str, str] = {"zh": "某某", "en": "X"}
"""What is said in place of a name that may not be."""

_SURNAME = f"(?:{'|'.join(COMPOUND_SURNAMES)}|[{''.join(sorted(SURNAMES))}])"
_HAN = "[\u3400-\u9fff]"
_ALIAS = re.compile(
    rf"{_SURNAME}某[某甲乙丙丁]?|[小阿老大]{_HAN}{{1,2}}|({_HAN})\1|{_SURNAME}(?:同学|先生|女士|师傅)|某某|{_HAN}"
)
_FULL_NAME = re.compile(rf"{_SURNAME}{_HAN}{{1,3}}")
_LATIN_FULL_NAME = re.compile(r"[^\W\d_]{2,}[\s·.,'-]+[^\W\d_]{2,}|[A-Z][a-z]+[A-Z][a-z]+")
_DOTS = re.compile("[·•・‧∙⋅]")


def is_full_name(name: str) -> bool:
    """Whether ``name`` looks like somebody's full name, Chinese, of a minority with a dot, or in Latin letters."""
    plain = "".join(name.split()) if _HAN_ONLY.fullmatch(name) else name.strip()
    if _ALIAS.fullmatch(plain):
        return False
    if _DOTS.search(plain):
        return True
    return _FULL_NAME.fullmatch(plain) is not None or _LATIN_FULL_NAME.search(plain) is not None


_HAN_ONLY = re.compile(rf"(?:{_HAN}|\s)+")

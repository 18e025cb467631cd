"""Words that no message may carry, as dated data: who refuses each, and its pinyin where that is a way to write it.

The providers' lists change with the carriers' orders; what a provider's reviewer says on the day outranks them.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class WordKind(StrEnum):
    """Why a word is refused."""

    VENUE = "venue"  # 场所
    OFFENCE = "offence"  # 罪名、处罚、强制措施
    ORGAN = "organ"  # 办案机关
    SCHOOL = "school"  # 学校
    PERSON = "person"  # 被害人、证人等受保护人员
    LINK = "link"  # 链接、其他联系渠道
    PROVIDER = "provider"  # 服务商的禁词


@dataclass(frozen=True, slots=True, kw_only=True)
class WordSource:
    """Where a list was read. ``updated_on``: the date that the page gives itself, if any."""

    name: str
    address: str
    updated_on: date | None


SOURCES: dict[str, WordSource] = {
    "invariant 11": WordSource(name="Hulan", address="design.md 5.11; 未成年人保护法 103", updated_on=None),
    "aliyun": WordSource(
        name="阿里云 Aliyun",
        address="https://alibabacloud.com/help/tc/sms/user-guide/message-template-for-chinese-mainland",
        updated_on=date(2024, 7, 13),
    ),
    "huawei": WordSource(
        name="华为云 Huawei Cloud",
        address="https://support.huaweicloud.com/intl/zh-cn/productdesc-msgsms/sms_faq_0003.html",
        updated_on=date(2025, 9, 4),
    ),
    "tencent": WordSource(
        name="腾讯云 Tencent Cloud",
        address="https://cloud.tencent.com/document/product/382/39023",
        updated_on=date(2025, 6, 17),
    ),
    "baidu": WordSource(
        name="百度智能云 Baidu AI Cloud", address="https://cloud.baidu.com/doc/SMS/s/vkihe2msj", updated_on=None
    ),
}
"""Read on 2026-11-22; Aliyun's 调解, 恐吓 and all of Baidu as reported in reference/domain.md 3.5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedWord:
    """``pinyin``: a syllable per character, or empty where the word is not looked for in pinyin."""

    word: str
    kind: WordKind
    pinyin: tuple[str, ...] = ()
    sources: tuple[str, ...] = ("invariant 11",)


_OURS: dict[WordKind, str] = {
    WordKind.VENUE: (
        "酒吧:jiu'ba 清吧:qing'ba 小酒馆:xiao'jiu'guan 夜店:ye'dian 夜总会:ye'zong'hui 迪厅:di'ting "
        "迪吧:di'ba 歌厅:ge'ting 舞厅:wu'ting 卡拉 练歌房:lian'ge'fang 包厢:bao'xiang 包间:bao'jian "
        "网吧:wang'ba 网咖:wang'ka 上网服务 电竞:dian'jing 游戏厅:you'xi'ting 电玩:dian'wan 游艺:you'yi "
        "台球:tai'qiu 桌球:zhuo'qiu 棋牌:qi'pai 麻将:ma'jiang 剧本:ju'ben 密室:mi'shi 剧本杀:ju'ben'sha "
        "宾馆:bin'guan 酒店:jiu'dian 旅馆:lv'guan 旅店:lv'dian 旅社:lv'she 客栈:ke'zhan 民宿:min'su "
        "开房:kai'fang 入住:ru'zhu 洗浴:xi'yu 足浴:zu'yu 足疗:zu'liao 洗脚:xi'jiao 按摩:an'mo 桑拿:sang'na "
        "会所:hui'suo 茶楼 彩票:cai'piao 赌场:du'chang 娱乐:yu'le 影院 纹身:wen'shen 酒 烟 吧 场所名称"
    ),
    WordKind.OFFENCE: (
        "犯罪:fan'zui 罪犯:zui'fan 嫌疑:xian'yi 嫌犯 案件:an'jian 涉案:she'an 盗窃:dao'qie 抢劫:qiang'jie "
        "抢夺 诈骗:zha'pian 强奸:qiang'jian 猥亵:wei'xie 伤害:shang'hai 杀人:sha'ren 故意 斗殴:dou'ou "
        "寻衅:xun'xin 聚众 吸毒:xi'du 贩毒:fan'du 赌博:du'bo 卖淫:mai'yin 嫖娼:piao'chang 帮信 取保:qu'bao "
        "候审:hou'shen 监视居住 不起诉:bu'qi'su 起诉:qi'su 附条件 刑事:xing'shi 刑拘:xing'ju 拘留:ju'liu "
        "逮捕:dai'bu 服刑 缓刑:huan'xing 假释 矫正:jiao'zheng 社矫 前科:qian'ke 判决 强制措施 罪 犯 盗 抢 诈 "
        "奸 嫖 淫 贼 囚 案 刑 狱 毒 赌"
    ),
    WordKind.ORGAN: (
        "检察:jian'cha 公安:gong'an 法院:fa'yuan 派出所:pai'chu'suo 警察:jing'cha 民警 司法:si'fa "
        "看守所:kan'shou'suo 监狱:jian'yu 警"
    ),
    WordKind.SCHOOL: (
        "学校:xue'xiao 小学:xiao'xue 中学:zhong'xue 初中:chu'zhong 高中:gao'zhong 职高 技校 大学:da'xue "
        "幼儿园:you'er'yuan 年级:nian'ji 班主任 校 班级"
    ),
    WordKind.PERSON: ("被害人:bei'hai'ren 受害人:shou'hai'ren 证人:zheng'ren 举报人 同案 同伙:tong'huo 被告"),
    WordKind.LINK: (
        "链接:lian'jie 网址:wang'zhi 点击:dian'ji 扫码:sao'ma 二维码 微信:wei'xin 威信 加群 下载 公众号 "
        "小程序 关注公众号"
    ),
}

_PROVIDERS: dict[str, str] = {
    "aliyun": (
        "色情 赌博 毒品 党政 法律维权 众筹 募捐 宗教 迷信 股票 留学 移民 面试 招聘 博彩 贷款 催款 还款 信用卡 "
        "理财 中奖 抽奖 夺宝 秒杀 整容 烟酒 交友 暴力 恐吓 皮草 返现 返利 代开发票 代办证件 加群 刷单 众包 "
        "积分 调解"
    ),
    "huawei": (
        "股票 移民 金融 面试 招聘 博彩 赌球 彩票 返利 贷款 催款 理财 中奖 夺宝 秒杀 医疗 整形 美容 会所 酒吧 "
        "黄赌毒 足浴 威胁 皮草 助考 商标 加群 联通 电信 广电 移动 棋牌 赌博 游戏 法院 诉讼 传票 征信 黑名单 "
        "党政 维权 期货 贵金属 股权 评价 留学 发票 驾驶证 违禁品 虚拟货币 追讨 宗教 迷信 交友 婚恋 积分 "
        "红白事 法律 财税 专利 加盟 展会 调解 借贷 分期 刷单 知识产权 公积金 社保 保健 养生 养老 问卷 培训 "
        "讲座 保险 直播 烟 酒 茶叶 兼职 房产 装修"
    ),
    "tencent": (
        "股票 移民 面试 招聘 彩票 返利 抽奖 贷款 催款 征信 理财 赌博 中奖 毒品 党政 法律维权 众筹 捐款 宗教 "
        "迷信 殡葬 刷单 夺宝 秒杀 医疗 整形 美容 会所 酒吧 足浴 暴力 恐吓 色情 皮草 助考 装修 商标 加群 直播 "
        "相亲 交友 游戏 会展 优惠券 保险 发票 财税 线索 年检 婚庆 招商 招募 加盟 算命 信用卡 返现 好评 酒类 "
        "成人 积分 问卷"
    ),
    "baidu": "会所 酒吧 足浴",
}

ENGLISH_WORDS: dict[WordKind, str] = {
    WordKind.VENUE: (
        "bar pub nightclub club disco karaoke ktv netbar cybercafe internetcafe arcade billiard pool mahjong "
        "hotel motel hostel inn casino lottery sauna massage spa tobacco cigarette alcohol beer wine liquor "
        "drunk"
    ),
    WordKind.OFFENCE: (
        "crime criminal offence offense offender theft steal robbery assault rape fraud murder drug gambling "
        "prostitution suspect accused defendant convict arrest bail probation sentence prosecution case jail "
        "prison custody"
    ),
    WordKind.ORGAN: "police court prosecutor procuratorate procurator judge",
    WordKind.SCHOOL: "school kindergarten college university classroom classmate",
    WordKind.PERSON: "victim witness accomplice",
    WordKind.LINK: "http https www link click download wechat whatsapp qq",
}


def _list_words() -> tuple[RefusedWord, ...]:
    found: dict[str, RefusedWord] = {}
    for kind, line in _OURS.items():
        for entry in line.split():
            word, _, pinyin = entry.partition(":")
            found[word] = RefusedWord(word=word, kind=kind, pinyin=tuple(pinyin.split("'")) if pinyin else ())
    for provider, line in _PROVIDERS.items():
        for word in line.split():
            known = found.get(word, RefusedWord(word=word, kind=WordKind.PROVIDER, sources=()))
            found[word] = RefusedWord(
                word=word, kind=known.kind, pinyin=known.pinyin, sources=(*known.sources, provider)
            )
    return tuple(found.values())


REFUSED_WORDS = _list_words()

"""The Chinese words of simulated replies, for prompts that are written in Chinese; see `phrases`."""

from collections.abc import Mapping

from personastream.simulator.phrases import Style

CHINESE_SHARE_MIN = 0.5
"""Of a prompt's letters, from which on it counts as Chinese."""


def is_chinese(instructions: str) -> bool:
    """Whether a prompt is written in Chinese, for the most part."""
    letters = sum(map(str.isalpha, instructions))
    return sum("\u4e00" <= letter <= "\u9fff" for letter in instructions) > CHINESE_SHARE_MIN * letters


def _words(listed: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in listed.split(","))


BANKS: Mapping[str, tuple[str, ...]] = {
    "place": _words("渡口, 学校门口, 菜市场, 图书馆, 老茶馆, 码头仓库, 县医院走廊, 夜班车上, 戏台后面, 七号车间"),
    "thing": _words("竹篮, 铜锁, 账本, 药罐, 旧怀表, 船票, 蜂箱, 棋盘, 灯笼, 秤砣, 琴弦, 种子袋, 陶碗, 渔网"),
    "who": _words("隔壁老王, 新来的学徒, 一位退休教师, 我表弟, 值夜班的护士, 市场管理员, 老船工, 班长"),
    "number": tuple(str(number) for number in (*range(3, 60), *range(60, 400, 7))),
    "saying": _words(
        "吃一堑长一智, 早起的鸟儿有虫吃, 心静自然凉, 笨鸟先飞, 时间就是金钱, 百闻不如一见, 水往低处流, 无风不起浪"
    ),
    "thinking": _words(
        "先有结果再有原因, 所有例外都算规则, 平均数能代替每一个人, 名字相同就是同一样东西, 没看见就等于没有"
    ),
    "name": _words("沈渡, 阿苇, 柳听澜, 石九斤, 何晚舟, 鱼七, 顾索, 莫不语, 江小满, 白鹭娘"),
    "race": _words("索民, 鳞裔, 雾客, 石衣人"),
    "class": _words("索匠, 捞师, 听水人, 渡郎, 市令, 药户"),
    "secret": _words("一封没有寄出的信, 欠索头的一笔旧债, 旧都某扇门的钥匙, 一个失踪的妹妹, 一口会自己响的钟"),
}

TRICK = Style(
    lead=(
        "常言道“{saying}”，那我在{place}等了{number}天，怎么一样也没等到？",
        "{who}说“{saying}”，可我在{place}试了{number}次都不灵，是不是我的{thing}坏了？",
        "我在{place}丢了{number}个{thing}，如果我从没买过它们，还算不算丢？",
    ),
    body=(
        "{who}说{thing}越擦越亮，那擦上{number}年，晚上是不是就不用点灯了？",
        "既然{thinking}，为什么{place}的{thing}还要一个一个地数？",
        "{place}写着“闲人免进”，我忙了{number}天，是不是从此不用买票？",
        "上次{who}的{thing}慢了{number}分钟，那他每天是不是多活{number}分钟？",
    ),
    close=("请问这该怎么算？", "那我到底应该先做哪一步？", "这难道不是一样的道理吗？"),
    gap="",
)

CHARACTER = Style(
    lead=(
        "{name}\nRace: {race}，在族中以认得旧都每一条街闻名。\nClass: {class}，最拿手的是修补{thing}。\n"
        "Background: 他生在{place}。",
    ),
    body=(
        "{number}年前那个朔日，{who}在错位的水道里丢了{number}个{thing}，只有他一个人划了回去。",
        "从那以后，{place}的人都信他的秤，却没有人敢问他夜里听见了什么。",
        "他常说“{saying}”，自己却从来做不到。",
        "每逢退水，他都在{place}数屋脊，数到第{number}座就停下来。",
    ),
    close=(
        "\nInteraction with Players: 玩家会在{place}遇见他，他会说：“{saying}，可惜水不这么想。”"
        "他用旧地图换{number}个{thing}，"
        "瞒着的是{secret}。",
    ),
    gap="",
)

STYLES: Mapping[str, Style] = {"问题：": TRICK, "Name:": CHARACTER}

"""Make the demo corpus of labelled sentences: python corpora/demo_labelling/generate.py [--output DIR]."""

import argparse
import random
from pathlib import Path

CITIES = ["北京", "上海", "广州", "深圳", "南京", "杭州", "成都", "武汉", "西安", "天津", "苏州", "重庆"]
SIGHTS = ["天安门", "故宫", "长城", "外滩", "西湖", "颐和园", "兵马俑", "中山陵", "豫园", "白云山", "鼓楼", "拙政园"]
KINDS = ["大学", "银行", "医院", "日报", "公司", "图书馆"]
FAMILIES = ["王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴"]
GIVEN = ["伟", "芳", "娜", "敏", "静", "丽", "强", "磊", "军", "洋", "勇", "艳", "杰", "涛", "明"]
PEOPLE = ["我", "你", "他", "她", "我们", "他们", "老师", "学生", "朋友"]
LIKES = ["爱", "喜欢", "想念", "参观", "离开", "介绍"]
DAYS = ["今天", "昨天", "明天", "去年", "上午", "晚上"]
THINGS = ["电影", "苹果", "音乐", "书", "米饭", "天气"]
FILES = {"train": 600, "valid": 100, "test": 100}

# Capitals are drawn. S is a sight of a city, C a city alone, O an organisation of a city. P is a person, H a pronoun or
# a common noun, L a verb, D a day, T a thing.
SENTENCES = (
    *("H L S", "H L C", "P L S", "P 在 O 工作 。", "H 在 C 生活 。", "D H 去 了 S 。"),
    *("P 和 P 是 朋友 。", "H 喜欢 T 。", "D P 到 C 了 。", "O 在 C 。", "H 认识 P 。"),
    *("S 很 漂亮 。", "O 的 P 来 了 。", "D 的 T 很 好 。", "H 从 C 到 C 。"),
    *("P 离开 了 O 。", "C 的 T 很 好 。", "H 和 P 参观 了 S 。", "P 住 在 C 。", "D H 看 T 。"),
)
HELD_OUT = ("我", "爱", "北京", "天安门")
"""The textbook's example, which no file may have."""

Token = tuple[str, str]


def entity(words: list[str], kind: str) -> list[Token]:
    """Label the words of one entity."""
    return [(word, f"{'I' if i else 'B'}-{kind}") for i, word in enumerate(words)]


def drawn(symbol: str, draw: random.Random) -> list[Token]:
    """Draw what a symbol of a sentence stands for."""
    if symbol == "S":
        return entity([draw.choice(CITIES), draw.choice(SIGHTS)], "LOC")
    if symbol == "C":
        return entity([draw.choice(CITIES)], "LOC")
    if symbol == "O":
        return entity([draw.choice(CITIES), draw.choice(KINDS)], "ORG")
    if symbol == "P":
        return entity([draw.choice(FAMILIES), draw.choice(GIVEN)], "PER")
    words = {"H": PEOPLE, "L": LIKES, "D": DAYS, "T": THINGS}.get(symbol, [symbol])
    return [(draw.choice(words), "O")]


def sentences(count: int, *, seed: int = 1) -> list[list[Token]]:
    """Make different sentences."""
    draw = random.Random(seed)
    made: dict[tuple[str, ...], list[Token]] = {}
    while len(made) < count:
        sentence = [token for symbol in draw.choice(SENTENCES).split() for token in drawn(symbol, draw)]
        words = tuple(word for word, _ in sentence)
        if words != HELD_OUT:
            made.setdefault(words, sentence)
    return list(made.values())


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    folder = parser.parse_args().output
    made = iter(sentences(sum(FILES.values())))
    for name, count in FILES.items():
        text = "\n".join("".join(f"{word}\t{label}\n" for word, label in next(made)) for _ in range(count))
        (folder / f"{name}.conll").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()

"""Make the demo corpus of classified lines: python corpora/demo_classification/generate.py [--output DIR]."""

import argparse
import random
from pathlib import Path

ENGLISH = {
    "thing": ["film", "book", "soup", "hotel", "song", "game", "phone", "room", "garden", "coffee"],
    "good": ["good", "great", "lovely", "excellent", "wonderful"],
    "bad": ["bad", "awful", "boring", "terrible", "dull"],
    "degree": ["", "very ", "really ", "quite "],
    "day": ["on Monday", "on Friday", "in May", "last year", "today"],
}
CHINESE = {
    "thing": ["部电影", "本书", "碗汤", "家酒店", "首歌", "个游戏", "部手机", "个房间", "座花园", "杯咖啡"],
    "good": ["好", "棒", "精彩", "漂亮", "出色"],
    "bad": ["差", "糟", "无聊", "难看", "可怕"],
    "degree": ["很", "非常", "真的很", "相当"],
    "day": ["星期一", "星期五", "五月", "去年", "今天"],
}
FILES = {"train": 300, "valid": 50, "test": 50}
FORMS = {
    "positive": (
        *("The {thing} was {degree}{good}.", "I love this {thing}!", "What a {good} {thing}!"),
        *("This {thing} is not {bad}.", "这{thing}{degree}{good}。", "我喜欢这{thing}！"),
        *("这{thing}一点也不{bad}。", "{day}的这{thing}{degree}{good}。"),
    ),
    "negative": (
        *("The {thing} was {degree}{bad}.", "I hate this {thing}!", "What a {bad} {thing}!"),
        *("This {thing} is not {good}.", "这{thing}{degree}{bad}。", "我不喜欢这{thing}。"),
        *("这{thing}一点也不{good}。", "{day}的这{thing}{degree}{bad}。"),
    ),
    "neutral": ("I saw the {thing} {day}.", "Is this the {thing}?", "{day}我看见了这{thing}。", "这是那{thing}吗？"),
}
HELD_OUT = ("This film is not good.", "这部电影一点也不好。")
"""Examples for the pages, which no file may have."""


def drawn(form: str, draw: random.Random) -> str:
    """Draw what the braces of a form stand for."""
    words = ENGLISH if form.isascii() else CHINESE
    return form.format(**{name: draw.choice(choices) for name, choices in words.items()})


def examples(count: int, *, seed: int = 1) -> list[tuple[str, str]]:
    """Make different sentences, each with its label."""
    draw = random.Random(seed)
    made: dict[str, str] = {}
    forms = [(label, form) for label, group in FORMS.items() for form in group]
    while len(made) < count:
        label, form = draw.choice(forms)
        sentence = drawn(form, draw)
        if sentence not in HELD_OUT:
            made.setdefault(sentence, label)
    return list(made.items())


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    folder = parser.parse_args().output
    made = iter(examples(sum(FILES.values())))
    for name, count in FILES.items():
        text = "".join("{}\t{}\n".format(*next(made)) for _ in range(count))
        (folder / f"{name}.tsv").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()

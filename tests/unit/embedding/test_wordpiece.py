"""Token ids, as the reference tokenizer of the model gives them."""

from random import Random

import pytest

from embedding import default_folder
from embedding.manifest import VOCABULARY_FILE
from embedding.wordpiece import (
    MAX_PIECE_CHARS,
    MAX_TEXT_CHARS,
    MAX_TOKENS,
    MAX_WORD_CHARS,
    WordPiece,
)

CLS, SEP, UNK = 101, 102, 100
WWW, W = 7479, 2860


@pytest.fixture(scope="module")
def tokenizer() -> WordPiece:
    text = (default_folder() / VOCABULARY_FILE).read_text(encoding="utf-8")
    return WordPiece(text.split("\n"))


# fmt: off
REFERENCE = [
    ("", []),
    ("   \t\r\n ", []),
    ("Hello, world!", [7592, 1010, 2088, 999]),
    ("UPPER lower MiXeD", [3356, 2896, 3816]),
    ("unaffable embeddings", [14477, 20961, 3468, 7861, 8270, 4667, 2015]),
    ("don't-stop_it(now)",
     [2123, 1005, 1056, 1011, 2644, 1035, 2009, 1006, 2085, 1007]),
    ("3.14159 1,000,000 v2.0",
     [1017, 1012, 15471, 28154, 1015, 1010, 2199, 1010, 2199, 1058, 2475, 1012,
      1014]),
    ("price: $5+€3=8%~^`|<>",
     [3976, 1024, 1002, 1019, 1009, 1574, 2509, 1027, 1022, 1003, 1066, 1034, 1036,
      1064, 1026, 1028]),
    ("C:\\path\\to\\file #tag @user",
     [1039, 1024, 1032, 4130, 1032, 2000, 1032, 5371, 1001, 6415, 1030, 5310]),
    ("##ing [unused1] <mask>",
     [1001, 1001, 13749, 1031, 15171, 2487, 1033, 1026, 7308, 1028]),
    ("Crème Brûlée à São Paulo", [13675, 21382, 7987, 9307, 2063, 1037, 7509, 9094]),
    ("x\u0301\u0327y", [1060, 2100]),
    ("straße ŒUVRE Ǆ", [2358, 27807, 1107, 2226, 12229, UNK]),
    ("ﬁne № ½ ＦＵＬＬ", [1984, 2638, 1578, 1092, UNK]),
    ("Ὀδυσσεύς ΣΑΣ",
     [1169, 29722, 29735, 29733, 29733, 29723, 29735, 19579, 1173, 14608, 29733]),
    ("İstanbul ISTANBUL", [9960, 9960]),
    ("我爱北京 Tokyo東京", [1855, UNK, 1781, 1755, 5522, 1879, 1755]),
    ("\uf900\U00020000", [UNK, UNK]),
    ("こんにちは", [1655, 30217, 30194, 30188, 30198]),
    ("안녕하세요",
     [1463, 30006, 30021, 29992, 30010, 30025, 30005, 30006, 29997, 30009, 29999,
      30013]),
    ("Привет, мир",
     [1194, 16856, 10325, 25529, 15290, 22919, 1010, 1191, 10325, 16856]),
    ("مرحبا", [1295, 17149, 29820, 29816, 25573]),
    ("🙂 fine 👩\u200d👩\u200d👧 flag 🇬🇧", [UNK, 2986, UNK, 5210, UNK]),
    ("¿qué? «sí» — “no” … ¡ya!",
     [1094, 10861, 1029, 1077, 9033, 1090, 1517, 1523, 2053, 1524, 1529, 1067, 8038,
      999]),
    ("a\x00b\u200bc\ufffdd\x07e\x85f", [5925, 3207, 2546]),
    ("ab\x00\x0bc\x7fd", [5925, 2094]),
    ("a\u00a0b\u2003c\u2028d\u3000e", [1037, 1038, 1039, 1040, 1041]),
    ("\u00ad soft\u00adhyphen", [3730, 10536, 8458, 2368]),
    ("w" * 100, [WWW, *[W] * 97]),
    ("w" * 101, [UNK]),
    ("é" * 101, [UNK]),
    ("qzxj\u4dff", [UNK]),
]
# fmt: on


@pytest.mark.parametrize(("text", "ids"), REFERENCE, ids=ascii)
def test_gives_the_ids_of_the_reference(
    tokenizer: WordPiece, text: str, ids: list[int]
) -> None:
    assert tokenizer.encode(text) == [CLS, *ids, SEP]
    assert tokenizer.encode(text) == [CLS, *ids, SEP], "again, from the cache"


def test_reads_special_tokens_in_a_text_as_text(tokenizer: WordPiece) -> None:
    ids = tokenizer.encode("[CLS] [SEP] [MASK] [PAD] [UNK]")
    assert {CLS, SEP, UNK}.isdisjoint(ids[1:-1])


@pytest.mark.parametrize("words", [253, 254, 255, 10_000])
def test_keeps_256_tokens_with_the_special_ones(
    tokenizer: WordPiece, words: int
) -> None:
    ids = tokenizer.encode("cat " * words)
    assert ids == [CLS, *[4937] * min(words, MAX_TOKENS - 2), SEP]


def test_cuts_within_a_word_of_many_pieces(tokenizer: WordPiece) -> None:
    ids = tokenizer.encode("w" * 99 + "," + "w" * 99 + "," + "w" * 99)
    assert len(ids) == MAX_TOKENS
    assert ids[-2:] == [W, SEP]


def test_counts_a_word_after_its_accents_are_gone(tokenizer: WordPiece) -> None:
    assert tokenizer.encode("e\u0301" * 90) == tokenizer.encode("e" * 90)


def test_ignores_what_lies_past_the_longest_text(tokenizer: WordPiece) -> None:
    spaces = " " * (MAX_TEXT_CHARS - 3)
    assert tokenizer.encode(f"{spaces}cat dog") == [CLS, 4937, SEP]


def test_survives_half_a_surrogate_pair(tokenizer: WordPiece) -> None:
    assert tokenizer.encode("c\ud83dat") == [CLS, 4937, SEP]


def encode_pieces(tokenizer: WordPiece, text: str) -> list[int]:
    """The ids of all pieces, which cover the text in order."""
    reached = 0
    ids: list[int] = []
    for start, end, own in tokenizer.encode_pieces(text):
        assert reached <= start < end <= len(text)
        assert not text[reached:start].strip(" \t\r\n")
        reached = end
        ids += own
    assert not text[reached:].strip(" \t\r\n")
    return ids


@pytest.mark.parametrize(("text", "ids"), REFERENCE, ids=ascii)
def test_pieces_have_the_ids_of_the_reference(
    tokenizer: WordPiece, text: str, ids: list[int]
) -> None:
    assert encode_pieces(tokenizer, text) == ids


def test_pieces_of_what_has_no_white_space_have_the_same_ids(
    tokenizer: WordPiece,
) -> None:
    random = Random(3)
    alphabet = "abcXYZ.,!?-_我爱こ안é\u0301\u200b\x00\x0b\u3000Σσ;\u037e🙂01"
    for _ in range(300):
        choice = random.choice([alphabet, "ab.", "我a", "a", "\u0301a", "Σ\u3000"])
        text = "".join(random.choices(choice, k=random.choice([99, 101, 250])))
        ids = encode_pieces(tokenizer, text)
        assert ids == tokenizer.encode(text)[1:-1][: len(ids)]
        assert len(ids) == len(tokenizer.encode(text)) - 2


def test_pieces_are_short_where_words_part(tokenizer: WordPiece) -> None:
    for text in ("," * 5_000, "我" * 5_000, "word-" * 1_000):
        pieces = list(tokenizer.encode_pieces(text))
        assert max(end - start for start, end, _ in pieces) <= MAX_WORD_CHARS
    [one, other] = tokenizer.encode_pieces("w" * (MAX_PIECE_CHARS + 1))
    assert one == (0, MAX_PIECE_CHARS, (UNK,))
    assert other[:2] == (MAX_PIECE_CHARS, MAX_PIECE_CHARS + 1)


def test_pieces_go_past_the_longest_text_that_is_embedded(tokenizer: WordPiece) -> None:
    text = f"{' ' * MAX_TEXT_CHARS}cat {'dog ' * 300}"
    assert encode_pieces(tokenizer, text) == [4937, *[3899] * 300]

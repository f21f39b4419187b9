"""Makes DefrostSans.ttf, the subset of NanumBarunGothic that the figures embed. See README.md beside this file."""

import sys

from fontTools import subset
from fontTools.ttLib import TTFont

NAME = "Defrost Sans"

# KS X 1001's 2,350 syllables, ASCII, Latin-1, and the signs of the figures.
syllables = (bytes([row, cell]).decode("euc-kr") for row in range(0xB0, 0xC9) for cell in range(0xA1, 0xFF))
characters = set(map(chr, range(0x20, 0x7F))) | set(map(chr, range(0xA0, 0x100))) | set("→–—·×±≥≤…“”‘’") | set(syllables)

source, target = sys.argv[1:]
options = subset.Options(hinting=False, layout_features=[], notdef_outline=True, name_IDs=[])
options.drop_tables += ["GSUB", "GPOS", "GDEF", "vhea", "vmtx", "gasp"]
font = TTFont(source, recalcTimestamp=False)
subsetter = subset.Subsetter(options)
subsetter.populate(unicodes=map(ord, characters))
subsetter.subset(font)

names = font["name"]
names.names = []
for number, text in {
    0: "Copyright (c) 2010, NAVER Corporation, with Reserved Font Name Nanum. A renamed subset; see LICENSE-OFL.txt.",
    1: NAME,
    2: "Regular",
    3: f"{NAME} 1",
    4: NAME,
    5: "Version 1.0",
    6: NAME.replace(" ", ""),
    13: "SIL Open Font License, Version 1.1",
    14: "https://openfontlicense.org",
}.items():
    names.setName(text, number, 3, 1, 0x409)
font.save(target)
print(f"{target}: {len(font.getGlyphOrder())} glyphs")

"""The strings on which our token counts are compared with Hugging Face's: seeded, the same as Corpus.swift makes."""

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


class SplitMix64:
    def __init__(self, state):
        self.state = state & MASK

    def below(self, bound):
        self.state = (self.state + GOLDEN) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return (z ^ (z >> 31)) % bound


def corpus(spec):
    """The same strings, in the same order, as Corpus.swift."""
    fragments, ranges = spec["fragments"], spec["ranges"]
    strings = [fragment * repeat for fragment, repeat in spec["long"]]
    letters = SplitMix64(spec["seed"])
    strings.append("".join(chr(ord("a") + letters.below(26)) for _ in range(10_000)))
    for index in range(spec["count"]):
        random = SplitMix64(spec["seed"] + (index + 1) * GOLDEN)

        def scalar(random=random):
            low, high = ranges[random.below(len(ranges))]
            return chr(low + random.below(high - low + 1))

        kind = random.below(8)
        if kind == 0:
            fragment = fragments[random.below(len(fragments))]
            strings.append(fragment * (1 + random.below(60)))
        elif kind == 1:
            strings.append("".join(scalar() for _ in range(1 + random.below(100))))
        else:
            pieces = []
            for _ in range(1 + random.below(24)):
                choice = random.below(len(fragments) + 4)
                pieces.append(fragments[choice] if choice < len(fragments) else scalar())
            strings.append("".join(pieces))
    return strings

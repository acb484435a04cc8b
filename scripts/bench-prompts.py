#!/usr/bin/env python3
"""Prints N short prompts (default 200), one a line, all different."""

import sys

STARTS = ["Write a story about", "Explain in one sentence", "Name three facts about", "Give advice on",
          "What is the history of", "Compare cats with", "Write a poem about", "Describe to a child"]
SUBJECTS = ["the sea", "bread", "gravity", "a small robot", "the Roman army", "winter", "trains", "honest work", "jazz",
            "volcanoes", "chess", "the alphabet", "coffee", "old maps", "bees", "a lost key", "numbers", "the moon",
            "gardens", "bridges", "silence", "glass", "rivers", "paper", "clocks"]

if __name__ == "__main__":
    for index in range(int(sys.argv[1]) if len(sys.argv) > 1 else 200):
        print(STARTS[index % len(STARTS)], SUBJECTS[index // len(STARTS) % len(SUBJECTS)] + ".")

#!/usr/bin/env python3
"""Makes the fixtures of Tests/LlamaTests with Hugging Face's tokenizers and with Jinja2, from the default model's file.

    python3 -m venv venv && venv/bin/pip install tokenizers gguf jinja2
    venv/bin/python scripts/llama-fixtures.py            # writes the fixtures
    venv/bin/python scripts/llama-fixtures.py --check    # says whether they would change, and exits 1 if so
    venv/bin/python scripts/llama-fixtures.py --check-export DIRECTORY
                                                         # compares an exported tokenizer.json with tokens.json

The strings come from a seeded generator (corpus.py, and Corpus.swift has it too), so that a count and a hash of each
result suffice.
"""

import json
import os
import pathlib
import re
import sys

import gguf
import jinja2.ext
import jinja2.sandbox
import tokenizers
from tokenizers import decoders, models, pre_tokenizers

from corpus import MASK, corpus

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "Tests/LlamaTests/Fixtures"


def model_path():
    cache = os.environ.get("TOKENFACTORY_CACHE", os.path.expanduser("~/.cache/tokenfactory"))
    return os.environ.get("TOKENFACTORY_MODEL", cache + "/models/smollm2-135m-instruct-q8_0.gguf")


def fnv1a(ids):
    value = 0xCBF29CE484222325
    for identifier in ids:
        for byte in identifier.to_bytes(4, "little"):
            value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


class Model:
    def __init__(self, path):
        fields = gguf.GGUFReader(path).fields
        self.tokens = fields["tokenizer.ggml.tokens"].contents()
        self.merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
        types = fields["tokenizer.ggml.token_type"].contents()
        self.control = [token for token, kind in zip(self.tokens, types) if kind == gguf.TokenType.CONTROL]
        self.template = fields["tokenizer.chat_template"].contents()
        self.bos = self.tokens[fields["tokenizer.ggml.bos_token_id"].contents()]
        self.eos = self.tokens[fields["tokenizer.ggml.eos_token_id"].contents()]
        assert fields["tokenizer.ggml.pre"].contents() == "smollm"

    def tokenizer(self, special):
        vocabulary = {token: index for index, token in enumerate(self.tokens)}
        tokenizer = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=self.merges))
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )
        tokenizer.decoder = decoders.ByteLevel()
        if special:
            tokenizer.add_special_tokens(self.control)
        return tokenizer

    def missing_bytes(self):
        """Bytes for which the vocabulary has no token: text that needs one of them loses it."""
        known = set(self.tokens)
        return [byte for byte, character in byte_alphabet().items() if character not in known]


def byte_alphabet():
    """GPT-2's printable stand-ins for bytes."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    alphabet = {byte: chr(byte) for byte in printable}
    for byte in range(256):
        if byte not in alphabet:
            alphabet[byte] = chr(256 + len(alphabet) - len(printable))
    return dict(sorted(alphabet.items()))


class Refused(Exception):
    pass


def render(source, messages, bos, eos, add_generation_prompt, **arguments):
    """As transformers' apply_chat_template does it."""

    def raise_exception(message):
        raise Refused(message)

    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols]
    )
    environment.globals["raise_exception"] = raise_exception
    return environment.from_string(source).render(
        messages=messages, bos_token=bos, eos_token=eos, add_generation_prompt=add_generation_prompt, **arguments
    )


CONTINUE = "CONTINUE_FINAL_MESSAGE_TAG "


def continued(source, messages, *arguments, **variables):
    """As transformers' continue_final_message does it: a tag behind the last content shows where to cut."""
    last = dict(messages[-1])
    if isinstance(last["content"], str):
        last["content"] += CONTINUE
    else:
        last["content"] = last["content"][:-1] + [{"type": "text", "text": last["content"][-1]["text"] + CONTINUE}]
    text = render(source, messages[:-1] + [last], *arguments, **variables)
    place = text.rindex(CONTINUE.strip())
    return text[:place] if text[place : place + len(CONTINUE)] == CONTINUE else text[:place].rstrip()


def requests(model, spec):
    result = []
    for case in spec["requests"]:
        seen = []
        for message in json.loads(case["messages"]):
            content = message.get("content")
            if content is None:
                content = ""
            if isinstance(content, list) and not case.get("typed"):
                content = "\n".join(part["text"] for part in content)
            seen.append({**message, "content": content})
        run = continued if case.get("continuesFinalMessage") else render
        prompt = case.get("addGenerationPrompt", True) and not case.get("continuesFinalMessage")
        text = run(case.get("source", model.template), seen, model.bos, model.eos, prompt,
                   **json.loads(case.get("arguments", "{}")))
        result.append({**case, "text": text})
    return result


def chat_ids(model, messages, add_generation_prompt):
    """Control tokens from the template, everything else as plain text: messages are put in after the split."""
    marks = [chr(0xE000 + index) for index in range(len(messages))]
    marked = [{"role": message["role"], "content": mark} for message, mark in zip(messages, marks)]
    text = render(model.template, marked, model.bos, model.eos, add_generation_prompt)
    plain = model.tokenizer(special=False)
    ids = []
    for piece in re.split("(" + "|".join(map(re.escape, model.control)) + ")", text):
        if piece in model.control:
            ids.append(model.tokens.index(piece))
            continue
        for mark, message in zip(marks, messages):
            piece = piece.replace(mark, message["content"])
        ids += plain.encode(piece, add_special_tokens=False).ids
    return ids


def chats(model, spec):
    full = model.tokenizer(special=True)
    result = []
    for chat in spec["chats"]:
        text = render(model.template, chat["messages"], model.bos, model.eos, chat["addGenerationPrompt"])
        ids = chat_ids(model, chat["messages"], chat["addGenerationPrompt"])
        honest = not any(token in message["content"] for token in model.control for message in chat["messages"])
        if honest:
            assert full.encode(text, add_special_tokens=False).ids == ids, chat["name"]
        result.append({**chat, "text": text, "ids": ids})
    return result


def templates(model, spec):
    result = []
    for case in spec["templates"]:
        messages = case["messages"]
        if case.get("typed"):
            messages = [
                {"role": message["role"], "content": [{"type": "text", "text": message["content"]}]}
                for message in messages
            ]
        try:
            case = {**case, "text": render(case["source"], messages, model.bos, model.eos, True)}
        except Refused as refusal:
            case = {**case, "refusal": str(refusal)}
        result.append(case)
    return result


def encode(value):
    return json.dumps(value, ensure_ascii=True, indent=1) + "\n"


def main():
    arguments = sys.argv[1:]
    strings = corpus(json.loads((FIXTURES / "corpus.json").read_text()))

    if arguments[:1] == ["--check-export"]:
        exported = tokenizers.Tokenizer.from_file(arguments[1] + "/tokenizer.json")
        expected = json.loads((FIXTURES / "tokens.json").read_text())["tokens"]
        # The fixture's strings are plain text, so what looks like a control token is tokenized as characters.
        exported.encode_special_tokens = True
        actual = [exported.encode(text, add_special_tokens=False).ids for text in strings]
        differing = [i for i, ids in enumerate(actual) if f"{len(ids)}:{fnv1a(ids):016x}" != expected[i]]
        print(f"{len(strings)} strings, {len(differing)} differ", differing[:10])
        return 1 if differing else 0

    model = Model(model_path())
    tokenizer = model.tokenizer(special=False)
    encoded = [tokenizer.encode(text, add_special_tokens=False).ids for text in strings]
    spec = json.loads((FIXTURES / "chat-cases.json").read_text())
    files = {
        "tokens.json": encode(
            {
                "generator": f"tokenizers {tokenizers.__version__}",
                "missingBytes": model.missing_bytes(),
                "tokens": [f"{len(ids)}:{fnv1a(ids):016x}" for ids in encoded],
            }
        ),
        "chats.json": json.dumps(
            {
                "generator": f"Jinja2 {jinja2.__version__}, tokenizers {tokenizers.__version__}",
                "chats": chats(model, spec),
                "templates": templates(model, spec),
                "requests": requests(model, spec),
            },
            ensure_ascii=True,
        )
        + "\n",
    }
    changed = False
    for name, content in files.items():
        path = FIXTURES / name
        if not path.exists() or path.read_text() != content:
            changed = True
            print(("differs: " if "--check" in arguments else "writes: ") + str(path))
            if "--check" not in arguments:
                path.write_text(content)
    return 1 if changed and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Writes Tests/WireTests/Vectors/*.hex: one frame of every kind, built from docs/wire-format.md with `struct` alone.

Run it after the page has changed, and read the difference: the vectors are the page's word, not the codec's.
"""

import pathlib
import struct

OUT = pathlib.Path(__file__).resolve().parent.parent / "Tests" / "WireTests" / "Vectors"

SESSION, SEQUENCE, SENT_AT = 0x11223344, 7, 1_000_000_007
ID = struct.pack("<QQ", 0x0123456789ABCDEF, 0xFEDCBA9876543210)


def frame(kind, block, parts=b"", flags=0, session=SESSION, sequence=SEQUENCE, version=2):
    header = struct.pack(
        "<2sBBHHIIQQ", b"TF", version, kind, flags, len(block), len(block) + len(parts), session, sequence, SENT_AT
    )
    assert len(header) == 32
    return header + block + parts


def string(text):
    data = text.encode("utf-8")
    return struct.pack("<I", len(data)) + data


def strings(*texts):
    return struct.pack("<I", len(texts)) + b"".join(string(text) for text in texts)


def tokens(*ids):
    return struct.pack(f"<I{len(ids)}I", len(ids), *ids)


def run(data):
    return struct.pack("<I", len(data)) + data


def count(value):
    return struct.pack("<Q", value)


def generation(*, hops):
    group = struct.pack("<QfffIfff", 42, 0.75, 0.5, 0.25, 40, 1.5, -0.5, 0.125)
    group += struct.pack("<II??2x", 128, 3, True, hops)
    assert len(group) == 48
    return group


def biases(*pairs):
    return struct.pack("<I", len(pairs)) + b"".join(struct.pack("<If", *pair) for pair in pairs)


def text_row(handle, position, text_length, prompt, cached, token_count, status, finish):
    row = struct.pack("<IIIIIHHB3x", handle, position, text_length, prompt, cached, token_count, status, finish)
    assert len(row) == 28
    return row


def token_row(digest, handle, position, cached, token_count, status, finish):
    row = struct.pack("<QIIIHHB3x", digest, handle, position, cached, token_count, status, finish)
    assert len(row) == 28
    return row


def hop(handle, station, phase, uncertainty, received, begun, sent):
    record = struct.pack("<IBBHQQQ", handle, station, phase, uncertainty, received, begun, sent)
    assert len(record) == 32
    return record


def rows(*all_rows):
    return struct.pack("<I", len(all_rows)) + b"".join(all_rows)


def tray(number):
    return struct.pack("<QH6x", number, 28)


def event(request, producer, wall, energy, numbers, attempts, status, kind, role, outcome, source, names):
    fixed = request + struct.pack("<QQq6I", producer, wall, energy, *numbers)
    fixed += struct.pack("<HHHBBBB6x", *attempts, status, kind, role, outcome, source)
    assert len(fixed) == 80
    return fixed + b"".join(string(name) for name in names)


TEXT_PARTS = (
    rows(text_row(5, 0, 3, 12, 8, 2, 0, 0), text_row(9, 31, 4, 100, 0, 1, 0, 1), text_row(6, 0, 4, 0, 0, 0, 5, 4))
    + tokens(100, 0xFFFFFFFF, 7)
    + run("héé!!busy".encode())
)

VECTORS = {
    "hello": frame(
        1, struct.pack("<BBBxIQIII4x", 1, 2, 2, 3, 0xA1B2C3D4E5F60718, 64, 8192, 93),
        string("smollm2") + string("wörker-1") + string("key-é"), session=0, sequence=0,
    ),
    "hello-1": frame(
        1, struct.pack("<BBBxIQII", 4, 1, 1, 3, 0xA1B2C3D4E5F60718, 64, 8192), string("smollm2") + string("wörker-1"),
        session=0, sequence=0, version=1,
    ),
    "welcome": frame(
        2, struct.pack("<BBHIQIII4x", 2, 2, 64, SESSION, 0x1122334455667788, 250, 5000, 262144),
        string("") + string("ingest-1"),
    ),
    "welcome-1": frame(
        2, struct.pack("<BBHIQII", 3, 1, 64, SESSION, 0x1122334455667788, 250, 5000),
        string("") + string("tokenizer-1"), version=1,
    ),
    "reset": frame(3, struct.pack("<H6x", 10)),
    "heartbeat": frame(4, struct.pack("<QI4x", 99, 17)),
    "heartbeat-reply": frame(5, struct.pack("<QQQIII4x", 1_000, 2_000, 3_000, 4, 60, 8192)),
    "heartbeat-reply-1": frame(5, struct.pack("<QQQII", 1_000, 2_000, 3_000, 4, 60), version=1),
    "credit": frame(6, count(64)),
    "recall": frame(7, count(32)),
    "recall-ack": frame(8, count(33)),
    "demand": frame(9, count(5)),
    "goodbye": frame(10, b""),
    "goodbye-ack": frame(11, b""),
    "tray-ack": frame(12, count(0x0102030405060708)),
    "cancel": frame(13, struct.pack("<I4x", 0xDEADBEEF)),
    "probe": frame(14, count(3)),
    "probe-reply": frame(15, count(3)),
    "submit": frame(
        32,
        struct.pack("<IBBBx", 21, 1, 1, 1) + ID + generation(hops=True) + struct.pack("<i4xQB7x", -3, 5_000_000_000, 1),
        string("key-é") + string("smollm2") + strings("system", "Be brief.", "user", "Hi 👋") + tokens()
        + strings("\n\n", "END") + tokens(2, 49151) + biases((7, -100.0), (9, 0.5)) + string('{"a":1}')
        + string("salt") + string("my request") + string("order-17"),
    ),
    "submit-1": frame(
        32,
        struct.pack("<IBBBx", 21, 1, 1, 1) + ID + generation(hops=True),
        string("key-é") + string("smollm2") + strings("system", "Be brief.", "user", "Hi 👋") + tokens()
        + strings("\n\n", "END"), version=1,
    ),
    "output": frame(33, tray(2), TEXT_PARTS),
    "encode": frame(
        34,
        struct.pack("<IBxH", 22, 3, 1) + ID + struct.pack("<Q", 77) + generation(hops=False)
        + struct.pack("<iIQB7x", 2, 2500, 1_000, 2),
        string("acme") + string("smollm2") + strings() + tokens(1, 2, 3) + strings("END") + tokens(4, 5)
        + tokens(2) + biases((7, -100.0)) + string('{"a":1}') + string("salt"),
    ),
    "encode-1": frame(
        34,
        struct.pack("<IBxH", 22, 3, 1) + ID + struct.pack("<Q", 77) + generation(hops=False),
        string("acme") + string("smollm2") + strings() + tokens(1, 2, 3) + strings("END") + tokens(4, 5), version=1,
    ),
    "text-batch": frame(
        35,
        tray(3),
        TEXT_PARTS + rows(hop(9, 4, 1, 12, 10, 20, 30), hop(9, 3, 3, 65535, 40, 50, 60)),
        flags=1,
    ),
    "generate": frame(
        36,
        struct.pack("<IHH", 23, 1, 2) + ID + struct.pack("<QI4x", 0xAABBCCDDEEFF0011, 2) + generation(hops=True)
        + struct.pack("<iIQ", -1, 500, 9_000),
        string("acme") + string("smollm2") + tokens(1, 2, 3, 49151, 4, 5) + tokens(2, 3) + biases((1, 1.5))
        + string("salt"),
    ),
    "generate-1": frame(
        36,
        struct.pack("<IHH", 23, 1, 2) + ID + struct.pack("<QI4x", 0xAABBCCDDEEFF0011, 2) + generation(hops=True),
        string("acme") + string("smollm2") + tokens(1, 2, 3, 49151, 4, 5), version=1,
    ),
    "token-batch": frame(
        37,
        tray(4),
        rows(token_row(0xAABBCCDDEEFF0011, 23, 0, 16, 1, 0, 0), token_row(0, 24, 9, 0, 2, 0, 2)) + tokens(198, 7, 2),
    ),
    "tokenize": frame(
        38,
        struct.pack("<QQIB??B8x", 6, 5_000_000_000, 2500, 1, False, True, 2),
        string("acme") + string("smollm2") + strings("user", "Hi 👋") + tokens() + string('{"a":1}'),
    ),
    "tokenized": frame(
        39,
        struct.pack("<QH2xI8x", 6, 0, 8192), tokens(1, 49151, 7) + tokens(0, 3, 6) + run(b"Hi " + b"\xf0\x9f\x91"),
    ),
    "record": frame(
        48,
        struct.pack("<QH6x", 1001, 80),
        struct.pack("<I", 2)
        + event(
            ID, 0x0A0B0C0D0E0F1011, 1_700_000_000_000_000_000, 5_000_000, (12, 8, 40, 38, 2, 128), (1, 2), 0, 4, 4,
            3, 2,
            ("acme", "smollm2", "worker-1", ""),
        )
        + event(
            ID, 5, 6, -1, (0, 0, 0, 0, 0, 128), (0, 0), 0, 1, 2, 0, 0, ("acme", "smollm2", "ingest-1", "my request"),
        ),
    ),
    "record-1": frame(
        48,
        struct.pack("<QH6x", 1001, 80),
        struct.pack("<I", 2)
        + event(
            ID, 0x0A0B0C0D0E0F1011, 1_700_000_000_000_000_000, 5_000_000, (12, 8, 40, 38, 2, 128), (1, 2), 0, 4, 4,
            3, 2,
            ("acme", "smollm2", "worker-1"),
        )
        + event(ID, 5, 6, -1, (0, 0, 0, 0, 0, 128), (0, 0), 0, 1, 2, 0, 0, ("acme", "smollm2", "ingest-1")), version=1,
    ),
    "record-complete": frame(
        48,
        struct.pack("<QHB5x", 1001, 80, 1),
        struct.pack("<I", 1)
        + event(
            ID, 5, 6, -1, (0, 0, 0, 0, 0, 128), (0, 0), 0, 1, 2, 0, 0, ("acme", "smollm2", "ingest-1", "my request"),
        ),
    ),
    "record-ack": frame(49, count(1002)),
    "claim": frame(
        50, struct.pack("<Q", 5) + ID + bytes(range(32)) + bytes(8), string("acme") + string("order-17"),
    ),
    "claim-answer": frame(51, struct.pack("<Q", 5) + ID + struct.pack("<BB6xI4x", 3, 2, 128)),
}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name, data in VECTORS.items():
        lines = [data[start : start + 16].hex(" ") for start in range(0, len(data), 16)]
        (OUT / f"{name}.hex").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

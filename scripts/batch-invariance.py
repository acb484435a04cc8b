#!/usr/bin/env python3
"""Greedy answers of the real engine alone and in a batch of 8, through a whole cluster: how many differ, and how near
to a tie of the two best logits the first difference was.

    ~/.cache/tokenfactory/venv-integration/bin/python scripts/batch-invariance.py [--prompts 200] [--max-tokens 32]

Each pass has a cluster of its own, with an empty cache. Requests join and leave the batch as others end, and share
prefixes in the cache. Leads come from Benchmarks/bare-llama --trace, which scripts/bench-engine.sh compiles. Prints a
table and JSON; exit status 1 if more than 2 % differ, or one where no near-tie is shown.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
CACHE = pathlib.Path(os.environ.get("TOKENFACTORY_CACHE", pathlib.Path.home() / ".cache" / "tokenfactory"))
BIN = pathlib.Path(os.environ.get("TOKENFACTORY_BIN", ROOT / ".build" / "release"))
MODEL = os.environ.get("TOKENFACTORY_MODEL", str(CACHE / "models" / "smollm2-135m-instruct-q8_0.gguf"))
# As in the engine's own tests: the largest gap of logits at which texts may part.
NEAR_TIE = 0.5


def module(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def factory(*arguments):
    return subprocess.run([str(BIN / "factory"), *arguments], check=True, capture_output=True, text=True).stdout


def prioritize(pid, nice):
    os.setpriority(os.PRIO_PROCESS, pid, nice)
    group = pathlib.Path(f"/proc/{pid}/autogroup")
    if group.exists():
        group.write_text(str(nice))


def answers(prompts, streams, options):
    """Texts of all prompts, so many at a time over one connection, and how many prompt tokens were cached."""
    python_client = module("python_client", ROOT / "examples" / "python_client.py")
    with tempfile.TemporaryDirectory() as folder:
        factory("up", "--directory", folder, "--engine", "llama", "--model", MODEL, "--slots", "8")
        try:
            if options.priority:
                for row in factory("status", "--directory", folder).splitlines()[1:]:
                    prioritize(int(row.split()[1]), options.priority)
            client = python_client.Client(factory("endpoint", "--directory", folder, "client-door").strip(), 30)
            models = f"http://{factory('endpoint', '--directory', folder, 'http').strip()}/v1/models"
            with urllib.request.urlopen(models) as answer:
                model = json.load(answer)["data"][0]["id"]
            texts, cached, begun, ended = [""] * len(prompts), 0, 0, 0

            def submit():
                nonlocal begun
                if begun < len(prompts):
                    client.submit(begun + 1, "", model, [("user", prompts[begun])], options.max_tokens, 0)
                    begun += 1

            for _ in range(streams):
                submit()
            for handle, finish, status, text, usage in client.rows():
                if finish == "failed":
                    raise SystemExit(f"prompt {handle - 1}: {status}: {text}")
                texts[handle - 1] += text
                if finish == "none":
                    continue
                cached, ended = cached + usage["cached"], ended + 1
                if ended == len(prompts):
                    break
                submit()
            client.close()
            return texts, cached
        finally:
            factory("down", "--directory", folder)


def margins(prompts, max_tokens):
    """For each prompt the tokens of its greedy text alone, as (bytes, lead over the second best logit)."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("".join(prompt + "\n" for prompt in prompts))
        file.flush()
        run = subprocess.run(
            [str(CACHE / "bench" / "bare_llama"), "--trace", "--model", MODEL, "--prompts", file.name, "--max-tokens",
             str(max_tokens), "--threads", str(os.cpu_count() or 1)], check=True, capture_output=True, text=True)
    return [[(bytes.fromhex(text), lead) for text, lead in json.loads(line)] for line in run.stdout.splitlines()]


def first_difference(one, other):
    return next((i for i, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))


def lead_at(tokens, text, position):
    """The lead of the token that covers a byte of the text; None if the trace parts from the text before it."""
    at = 0
    for piece, lead in tokens:
        if at + len(piece) > position or not piece:
            return lead
        if text[at:at + len(piece)] != piece:
            return None
        at += len(piece)
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--max-tokens", type=int, default=32)
    parser.add_argument("--priority", type=int, help="nice value, for a machine that does other work too")
    options = parser.parse_args()
    if options.priority:
        prioritize(os.getpid(), options.priority)
    prompts = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "bench-prompts.py"), str(options.prompts)], check=True,
        capture_output=True, text=True).stdout.splitlines()
    alone, cached_alone = answers(prompts, 1, options)
    together, cached_together = answers(prompts, 8, options)
    differing = [i for i in range(len(prompts)) if alone[i] != together[i]]
    share = len(differing) / len(prompts)
    print(f"{len(differing)} of {len(prompts)} greedy texts of at most {options.max_tokens} tokens differ, alone and "
          f"in a batch of 8: {100 * share:.1f} %")
    print(f"cached prompt tokens: {cached_alone} alone, {cached_together} together")
    rows, far = [], 0
    traces = margins([prompts[i] for i in differing], options.max_tokens) if differing else []
    for i, trace in zip(differing, traces):
        one, other = alone[i].encode(), together[i].encode()
        position = first_difference(one, other)
        lead = lead_at(trace, one, position)
        far += lead is None or lead > NEAR_TIE
        rows.append({"prompt": prompts[i], "byte": position, "lead": lead})
        print(f"  {prompts[i]:<50} parts at byte {position:>4}, lead of the best logit "
              + ("unknown: the loop's text parts earlier" if lead is None else f"{lead:.3f}"))
    print(json.dumps({"prompts": len(prompts), "differing": len(differing), "share": share, "parted": rows}))
    sys.exit(1 if share > 0.02 or far else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Holds the table of modules in docs/architecture.md, Package.swift and the `import` lines to each other.

    scripts/check-modules.py           fails where they differ: part of `make lint`
    scripts/check-modules.py --write   writes the table's column of imports from the sources; subjects stay

A module that is not in the table needs its subject there. What a module imports is declared in Package.swift, what is
declared is imported, and dependencies point one way: from Services and Tools to Shared, and never to a program.
"""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
HEADING = "| module | is about | may import |"
# What Swift brings along; the table names these too, since a module without them knows no clock, thread or file.
TOOLCHAIN = {
    "Dispatch", "Foundation", "FoundationEssentials", "FoundationNetworking", "FoundationXML", "Glibc",
    "Synchronization", "Testing",
}
IMPORT = re.compile(
    r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?import\s+"
    r"(?:(?:actor|class|enum|func|let|protocol|struct|typealias|var)\s+)?(\w+)", re.MULTILINE)


class Module:
    def __init__(self, target):
        self.name, self.path, self.kind = target["name"], target["path"] or "", target["type"]
        self.declared = {next(iter(each.values()))[0] for each in target["dependencies"]}
        sources = (ROOT / self.path).rglob("*.swift")
        self.imported = {name for source in sources for name in IMPORT.findall(source.read_text())}


def modules():
    command = ["swift", "package", "dump-package"]
    package = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    return [Module(target) for target in package["targets"]]


def rows(text):
    """The table's lines, with the module, its subject and its imports."""
    for line in text[text.index(HEADING):].splitlines()[2:]:
        if not line.startswith("|"):
            return
        name, subject, imports = (cell.strip() for cell in line.strip("|").split(" | "))
        yield line, name.strip(" `"), subject, {each for each in re.findall(r"\w+", imports)}


def cell(names, own):
    """Our own modules first."""
    return ", ".join(f"`{each}`" for each in sorted(names, key=lambda name: (name not in own, name))) or "nothing"


def faults_of_sources(all_modules):
    own = {each.name: each for each in all_modules}
    for module in all_modules:
        for name in sorted(module.imported - module.declared - TOOLCHAIN):
            yield f"{module.path}: imports {name}, which Package.swift does not give it"
        for name in sorted(module.declared - module.imported):
            yield f"{module.path}: has {name} in Package.swift and imports it nowhere"
        for name in module.imported & own.keys():
            other = own[name]
            if module.path.startswith("Shared/") and not other.path.startswith("Shared/"):
                yield f"{module.path}: Shared may not import {name}"
            if module.kind != "test" and other.kind == "executable":
                yield f"{module.path}: nothing may import the program {name}"


def faults_of_table(all_modules, text):
    listed = {name: imports - {"nothing"} for _, name, _, imports in rows(text)}
    shown = {each.name: each for each in all_modules if each.kind != "test"}
    for name in sorted(shown.keys() - listed.keys()):
        yield f"docs/architecture.md: {name} ({shown[name].path}) is not in the table of modules"
    for name in sorted(listed.keys() - shown.keys()):
        yield f"docs/architecture.md: {name} is in the table of modules and not in Package.swift"
    for name in sorted(shown.keys() & listed.keys()):
        for other in sorted(shown[name].imported - listed[name]):
            yield f"{shown[name].path}: imports {other}, which the table in docs/architecture.md does not allow"
        for other in sorted(listed[name] - shown[name].imported):
            yield f"docs/architecture.md: {name} may import {other} and does not"


def write(all_modules, text):
    own = {each.name: each for each in all_modules}
    for line, name, subject, _ in rows(text):
        if name in own:
            text = text.replace(line, f"| `{name}` | {subject} | {cell(own[name].imported, own)} |")
    PAGE.write_text(text)


def main():
    all_modules = modules()
    if "--write" in sys.argv[1:]:
        write(all_modules, PAGE.read_text())
    faults = [*faults_of_sources(all_modules), *faults_of_table(all_modules, PAGE.read_text())]
    for fault in faults:
        print(f"check-modules: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()

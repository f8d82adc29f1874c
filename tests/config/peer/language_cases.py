"""Small configurations in SPINE's language, one per rule: the files of each, of which ``main.yaml`` is composed."""

from __future__ import annotations

from typing import Final

__all__ = ["CASES"]

BASE = "__meta__: {version: '260101', description: base}\n"

CASES: Final[dict[str, dict[str, str]]] = {
    "plain": {"main.yaml": "io: {reader: {n: 1, keys: [a, b]}}\nempty:\n"},
    "include merges mappings, replaces lists": {
        "main.yaml": "include: base.yaml\na: {y: 3, l: [9]}\n",
        "base.yaml": BASE + "a: {x: 1, y: 2, l: [1, 2]}\nb: 5\n",
    },
    "includes in order, own content last": {
        "main.yaml": "include: [one, two.yml]\nc: own\n",
        "one.yaml": BASE + "a: 1\nb: 1\nc: 1\n",
        "two.yml": BASE + "b: 2\nc: 2\n",
    },
    "nested include in another directory": {
        "main.yaml": "include: deep/one.yaml\n",
        "deep/one.yaml": BASE + "include: two.yaml\na: 1\n",
        "deep/two.yaml": BASE + "b: 2\n",
    },
    "search path": {"main.yaml": "include: shared\n", "search/shared.yaml": BASE + "a: found\n"},
    "inline": {
        "main.yaml": "a: !include part.yaml\nb: [!include part]\n",
        "part.yaml": "__meta__: {kind: fragment}\ninclude: more.yaml\noverride: {x.y: 7}\nz: 1\n",
        "more.yaml": BASE + "x: {y: 1}\n",
    },
    "path": {"main.yaml": "a: {file: !path other/table.txt}\n", "other/table.txt": "x"},
    "download stays as it is": {
        "main.yaml": "a: !download https://host/x.ckpt\nb: !download {url: 'https://host/y.ckpt', hash: abc}\n"
    },
    "assignment": {"main.yaml": "include: base\noverride: {a.b: 3, a.c.d: '[1, 2]', a.e: null}\n",
                   "base.yaml": BASE + "a: {b: 1, c: {}, e: 5}\n"},
    "text of an assignment is YAML": {"main.yaml": "a: {}\noverride: {a.x: '5', a.y: 'yes', a.z: 'a: 1', a.t: ' '}\n"},
    "assignment to a missing parent is left out": {"main.yaml": "a: 1\noverride: {b.c: 2, d: 4}\n"},
    "optional assignment": {"main.yaml": "__meta__: {optional_paths: [b.c]}\na: 1\noverride: {b.c: 2}\n"},
    "assignment below a value": {"main.yaml": "a: 1\noverride: {a.c: 2}\n"},
    "append": {"main.yaml": "l: [1, 2]\na: {}\noverride: {l+: [2, 3], a.new+: 4}\n"},
    "append what is not there": {"main.yaml": "__meta__: {list_append: unique}\nl: [1, 2]\noverride: {l+: [2, 3]}\n"},
    "append to a mapping": {"main.yaml": "m: {a: 1}\noverride: {m+: 2}\n"},
    "append to a value": {"main.yaml": "m: 4\noverride: {m+: 2}\n"},
    "remove from a list and a mapping": {"main.yaml": "l: [1, 2, 1]\nm: {a: 1, b: 2}\noverride: {l-: 1, m-: [a, z]}\n"},
    "remove from a missing list": {"main.yaml": "a: 1\noverride: {l-: 1}\n"},
    "remove from a missing list in a modifier": {"main.yaml": "__meta__: {kind: mod}\na: 1\noverride: {l-: 1}\n"},
    "remove": {"main.yaml": "a: {b: 1, c: 2}\nd: 3\nremove: [a.b, d]\n"},
    "remove one": {"main.yaml": "a: {b: 1, c: 2}\nremove: a.c\n"},
    "remove what is not there": {"main.yaml": "a: 1\nremove: b.c\n"},
    "remove what is not there, leniently": {"main.yaml": "__meta__: {strict: warn}\na: 1\nremove: [b.c, a]\n"},
    "overrides before removals": {"main.yaml": "a: {b: 1}\noverride: {a.b: 2}\nremove: a\n"},
    "directives of an included file act on what comes before": {
        "main.yaml": "include: [base, mod]\nx: {y: 0}\n",
        "base.yaml": BASE + "l: [1]\n",
        "mod.yaml": "__meta__: {kind: mod, name: m, version: '260101'}\noverride: {l+: 2, x.y: 5}\n",
    },
    "a directive waits for a later file": {
        "main.yaml": "include: [mod, base]\n",
        "base.yaml": BASE + "x: {y: 1, l: [1]}\n",
        "mod.yaml": "__meta__: {kind: mod, name: m, version: '260101'}\noverride: {x.y: 5, x.l+: 2}\n",
    },
    "removal in an included file does not wait": {
        "main.yaml": "include: [mod, base]\n",
        "base.yaml": BASE + "x: {y: 1}\n",
        "mod.yaml": "__meta__: {version: '260101'}\nremove: x.y\n",
    },
    "edits by name": {
        "main.yaml": """
post: {stages: [{name: a, v: {x: 1}}, {name: b}, {name: c}]}
override:
  post.stages~:
    - insert: {before: b, value: {name: n}}
    - insert: {after: c, value: {name: m, w: 2}}
    - update: {name: a, changes: {v: {y: 2}, l: [1]}}
    - remove: {name: c}
"""
    },
    "one edit": {"main.yaml": "s: [{name: a}]\noverride: {s~: {remove: {name: a}}}\n"},
    "edit of a missing entry": {"main.yaml": "s: [{name: a}]\noverride: {s~: {remove: {name: b}}}\n"},
    "edit of a missing list": {"main.yaml": "a: 1\noverride: {s~: {remove: {name: b}}}\n"},
    "edit with two anchors": {
        "main.yaml": "s: [{name: a}]\noverride: {s~: {insert: {before: a, after: a, value: {name: b}}}}\n"
    },
    "edit that renames": {"main.yaml": "s: [{name: a}]\noverride: {s~: {update: {name: a, changes: {name: b}}}}\n"},
    "edit that inserts twice": {
        "main.yaml": "s: [{name: a}]\noverride: {s~: {insert: {before: a, value: {name: a}}}}\n"
    },
    "edit of entries without names": {"main.yaml": "s: [{x: a}]\noverride: {s~: {remove: {name: b}}}\n"},
    "variables": {"main.yaml": "a: $CASE_VARIABLE/x\nb: ['${CASE_VARIABLE}', $CASE_UNKNOWN]\n"},
    "cycle": {"main.yaml": "include: other\n", "other.yaml": BASE + "include: main\n"},
    "cycle inline": {"main.yaml": "a: !include main.yaml\n"},
    "missing file": {"main.yaml": "include: nowhere\n"},
    "missing path": {"main.yaml": "a: !path nowhere\n"},
    "not YAML": {"main.yaml": "a: [1\n"},
    "not a mapping": {"main.yaml": "- a\n"},
    "wrong include": {"main.yaml": "include: {a: 1}\n"},
    "wrong override": {"main.yaml": "override: [1]\n"},
    "unknown kind is a bundle": {"main.yaml": "__meta__: {kind: thing}\na: 1\n"},
    "optional path without directive": {"main.yaml": "__meta__: {optional_paths: [a.b]}\na: 1\n"},
    "optional paths that are no list": {"main.yaml": "__meta__: {optional_paths: a}\na: 1\n"},
    "version fulfilled": {
        "main.yaml": "include: [base/b.yaml, mod.yaml]\n",
        "base/b.yaml": BASE + "a: 1\n",
        "mod.yaml": "__meta__: {kind: mod, version: '260102', compatible_with: {base: '>=251231'}}\nb: 1\n",
    },
    "version too low": {
        "main.yaml": "include: [base/b.yaml, mod.yaml]\n",
        "base/b.yaml": BASE + "a: 1\n",
        "mod.yaml": "__meta__: {kind: mod, version: '260102', compatible_with: {base: '>260101'}}\nb: 1\n",
    },
    "version of a later file": {
        "main.yaml": "include: [mod.yaml, base/b.yaml]\n",
        "base/b.yaml": BASE + "a: 1\n",
        "mod.yaml": "__meta__: {kind: mod, version: '260102', compatible_with: {base: '260101'}}\nb: 1\n",
    },
    "version missing": {
        "main.yaml": "include: mod.yaml\n",
        "mod.yaml": "__meta__: {kind: mod, version: '260102', compatible_with: {base: '260101'}}\nb: 1\n",
    },
    "version of another form": {
        "main.yaml": "__meta__: {version: '1.2'}\ninclude: mod.yaml\n",
        "mod.yaml": "__meta__: {kind: mod, version: '260102', compatible_with: {base: '260101'}}\nb: 1\n",
    },
    "goes with a kind": {
        "main.yaml": "include: mod.yaml\n",
        "mod.yaml": "__meta__: {kind: mod, version: '260102', compatible_with: bundle}\nb: 1\n",
    },
    "goes with what another extends": {
        "main.yaml": "__meta__: {extends: full, version: '260101'}\ninclude: mod.yaml\n",
        "mod.yaml": "__meta__: {kind: mod, version: '260102', compatible_with: [full_260101]}\nb: 1\n",
    },
    "goes with none": {
        "main.yaml": "include: mod.yaml\n",
        "mod.yaml": "__meta__: {kind: mod, version: '260102', compatible_with: [other]}\nb: 1\n",
    },
    "modifiers that conflict": {
        "main.yaml": "include: [one, deep]\n",
        "one.yaml": "__meta__: {kind: mod, name: one, version: '260101', conflicts_with: two}\n",
        "deep.yaml": BASE + "include: two\n",
        "two.yaml": "__meta__: {kind: mod, name: two, version: '260101'}\n",
    },
    "modifiers that do not": {
        "main.yaml": "include: [one, two]\n",
        "one.yaml": "__meta__: {kind: mod, name: one, version: '260101', conflicts_with: [three]}\na: 1\n",
        "two.yaml": "__meta__: {kind: mod, name: two, version: '260101'}\nb: 1\n",
    },
}  # fmt: skip

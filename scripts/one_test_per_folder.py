#!/usr/bin/env python3
"""Print the regular expression for ctest that stands for the first test of each program of the build folder given."""

from __future__ import annotations

import json
import re
import subprocess
import sys

listing = subprocess.run(
    ["ctest", "--test-dir", sys.argv[1], "--show-only=json-v1"], check=True, capture_output=True, text=True
)
first: dict[str, str] = {}
for test in json.loads(listing.stdout)["tests"]:
    if "command" in test:
        first.setdefault(test["command"][0], test["name"])
print("^(" + "|".join(re.escape(name) for name in first.values()) + ")$")

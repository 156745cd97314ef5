#!/usr/bin/env python3
"""The README's table of variables is the one that `prof env` prints."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../lib'))
from run import PROF, tests  # noqa: E402

README = os.path.join(os.path.dirname(__file__), '../../README.md')


def the_table_of_variables_is_current():
    table = subprocess.run([PROF, 'env'], capture_output=True, text=True, check=True).stdout
    assert table.strip() in open(README).read(), 'run `prof env` and put its table into README.md'


tests(the_table_of_variables_is_current)

#!/usr/bin/env python3
"""Every link in every document of the repository leads somewhere."""
import os
import re
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..')


def documents():
    listed = subprocess.run(['git', '-C', ROOT, 'ls-files', '*.md'], capture_output=True, text=True)
    if listed.returncode == 0:
        return listed.stdout.split()
    return [os.path.relpath(os.path.join(folder, name), ROOT) for folder, _, names in os.walk(ROOT)
            for name in names if name.endswith('.md') and 'build' not in folder]


def dead_links(document):
    with open(os.path.join(ROOT, document)) as file:
        text = re.sub(r'```.*?```', '', file.read(), flags=re.S)
    for link in re.findall(r'\]\(([^)\s]+)\)', text):
        if re.match(r'[a-z]+:', link) or link.startswith('#'):
            continue
        target = os.path.join(ROOT, os.path.dirname(document), link.split('#')[0])
        if not os.path.exists(target):
            yield link


found = documents()
dead = [f'{document}: {link}' for document in found for link in dead_links(document)]
print(f'{len(found)} documents')
assert len(found) > 15, found
for row in dead:
    print('leads nowhere:', row)
sys.exit(1 if dead else 0)

#!/usr/bin/env python3
"""Writes prof(1) and libprof(7) from what prof says of itself: one text, two forms.

Usage: man.py PROF VERSION prof.1 libprof.7
"""
import re
import subprocess
import sys

LIBPROF = """\
LD_PRELOAD=libprof.so makes a program record where its memory comes from, where its CPU
time goes, what created its threads, and where they wait for each other, as Go programs do
without being asked. The program needs no rebuild and behaves as before.

Profiles are written to LIBPROF_DIR when the program gets the signal LIBPROF_SIGNAL
(SIGUSR2 unless told otherwise, and only while the program leaves that signal alone),
on prof dump PID, when it ends or executes another program, and every
LIBPROF_INTERVAL; or, with LIBPROF_SOCKET, they are read by a collector (prof run,
prof serve) at any time.

Examples:
  LD_PRELOAD=libprof.so LIBPROF_DIR=/var/tmp/p ./app & kill -USR2 $!
  prof top /var/tmp/p

"""

FILES = [
    ("EXE.PID.SEQ.heap.pb.gz", "Allocated and in-use objects and bytes, by stack."),
    ("EXE.PID.SEQ.heappeak.pb.gz", "What was in use when the heap was largest."),
    ("EXE.PID.SEQ.cpu.pb.gz", "CPU time, with thread names."),
    ("EXE.PID.SEQ.threads.pb.gz", "What every thread was doing at the moment of the dump."),
    ("EXE.PID.SEQ.threadcreate.pb.gz", "Stacks that created threads."),
    ("EXE.PID.SEQ.block.pb.gz", "Time spent waiting for locks, by the stack that waited."),
    ("EXE.PID.SEQ.mutex.pb.gz", "The same, by the stack that let others wait."),
]


def say(prof, *arguments):
    return subprocess.run([prof, *arguments], check=True, capture_output=True, text=True).stdout


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return re.sub(r"^\.", r"\\&.", text, flags=re.M)


def body(text):
    """Paragraphs are filled; indented lines, and what ends in a colon, stay as they are."""
    out = []
    for block in text.strip("\n").split("\n\n"):
        lines, literal = block.split("\n"), False
        out.append(".PP")
        for line in lines:
            if line.startswith("  ") != literal:
                literal = not literal
                out.append(".RS 4\n.nf" if literal else ".fi\n.RE")
            out.append(escape(line[2:] if literal else line))
        if literal:
            out.append(".fi\n.RE")
    return "\n".join(out)


def title(name, section, version, manual):
    return f'.TH {name} {section} "" "libprof {version}" "{manual}"'


def item(left, text):
    return f".TP\n\\fB{escape(left)}\\fR\n{escape(text)}"


def parse_help(text):
    """(summary, usage, prose, {heading: [(option, help)]}) of `prof help COMMAND`."""
    first, rest = text.split("\n\n", 1)
    usage, rest = rest.split("\n\n", 1)
    groups, prose = {}, []
    for block in rest.strip("\n").split("\n\n"):
        lines = block.split("\n")
        if len(lines) > 1 and lines[0].endswith(":") and all(s.startswith("  -") for s in lines[1:]):
            groups[lines[0][:-1]] = [tuple(re.split(r" {2,}", s.strip(), maxsplit=1))
                                     for s in lines[1:]]
        else:
            prose.append(block)
    return first.split(" - ", 1)[1], usage.replace("Usage: ", ""), "\n\n".join(prose), groups


def prof_page(prof, version):
    overview = say(prof, "--help").split("\n\n")
    names = [line.split()[0] for line in overview[2].split("\n")]
    page = [title("PROF", 1, version, "User Commands"), ".SH NAME",
            escape(overview[0].replace(" - ", " \\- ", 1)).replace("\\e\\-", "\\-"),
            ".SH SYNOPSIS", "\\fBprof\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR] \\fIARGUMENTS\\fR",
            ".SH DESCRIPTION", body("\n\n".join(overview[3:])), ".SH COMMANDS"]
    commands = [parse_help(say(prof, "help", name)) for name in names]
    options = {}
    for _, _, _, groups in commands:
        for heading, group in groups.items():
            known = options.setdefault(heading, [])
            known += [option for option in group if option not in known]
    for summary, usage, prose, groups in commands:
        page += [f'.SS "{escape(usage)}"', escape(summary[0].upper() + summary[1:]) + ".",
                 body(prose)]
        # A whole group stands for its options.
        taken = []
        for heading, group in groups.items():
            whole = len(group) > 2 and len(group) == len(options[heading])
            taken += [f'all of "{heading}"'] if whole else \
                     [left.split()[0].rstrip(",") for left, _ in group]
        if taken:
            page += [".PP", "Options: " + escape(", ".join(taken)) + "."]
    page.append(".SH OPTIONS")
    for heading, group in options.items():
        page.append(f".SS {heading}")
        page += [item(*option) for option in group]
    page += [".SH ENVIRONMENT",
             item("XDG_CACHE_HOME", "Names that were looked up are kept in libprof/symbols there."),
             item("DEBUGINFOD_URLS", "Servers that are asked for debug information; none unless set."),
             ".SH SEE ALSO", ".BR libprof (7)"]
    return "\n".join(page) + "\n"


def libprof_page(prof, version):
    page = [title("LIBPROF", 7, version, "Miscellaneous"), ".SH NAME",
            "libprof \\- profiles of native programs, by LD_PRELOAD", ".SH SYNOPSIS",
            "\\fBLD_PRELOAD=libprof.so\\fR \\fIPROGRAM\\fR", ".SH DESCRIPTION", body(LIBPROF),
            ".SH ENVIRONMENT"]
    for row in say(prof, "env").splitlines()[2:]:
        variable, default, accepted, text = [c.strip().strip("`") for c in row.strip("| ").split(" | ")]
        page.append(item(variable, f"{text}. Accepted: {accepted}. Default: {default}."))
    page.append(".SH FILES")
    page += [item(*file) for file in FILES]
    page += [".SH SEE ALSO", ".BR prof (1),", ".BR ld.so (8)"]
    return "\n".join(page) + "\n"


def main():
    prof, version, command_page, library_page = sys.argv[1:]
    for path, text in ((command_page, prof_page(prof, version)),
                       (library_page, libprof_page(prof, version))):
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)


main()

"""The two kinds of rows in the matrix, and how each is run."""
import glob
import hashlib
import os
import pwd
import re
import signal
import subprocess
import sys
import time

import watch

TIMEOUT = 60  # seconds for one run of a batch program without libprof


def clean_environment(work):
    path = '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/usr/lib/postgresql/15/bin'
    return {'PATH': path, 'HOME': work, 'LC_ALL': 'C.UTF-8', 'TZ': 'UTC', 'TERM': 'dumb', 'USER': 'root'}


class Result:
    """What a run did that its caller can see, and what was seen of it from outside."""

    def __init__(self):
        self.visible = {}   # compared with the run without libprof, key by key
        self.problems = []  # wrong in itself
        self.seconds = 0.0


class Batch:
    """A program that runs to its end. files: made before; setup: a shell script run
    before, without libprof; results: patterns of files whose contents count too;
    hide: regular expressions of what differs from run to run by itself."""

    def __init__(self, name, packages, command, stdin=None, files=None, setup=None, results=(),
                 hide=(), timeout=TIMEOUT, environment=None,
                 storm=True, count=None):
        self.count = count  # what of its output belongs into the table: how many tests were run
        self.storm = storm  # False: something below it catches signals for it
        self.name, self.packages, self.command = name, packages.split(), command
        self.stdin, self.files, self.setup = stdin, files or {}, setup
        self.results, self.hide, self.timeout = results, hide, timeout
        self.environment = environment or {}

    def prepare(self, work):
        for path, text in self.files.items():
            path = os.path.join(work, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, 'wb' if isinstance(text, bytes) else 'w') as file:
                file.write(text)
        if self.setup:
            subprocess.run(['bash', '-ec', self.setup], cwd=work, env=clean_environment(work),
                           check=True, capture_output=True, timeout=180)

    def run(self, work, settings, patience, looks):
        result = Result()
        self.prepare(work)
        # the last line keeps bash from becoming the last command: a signal that meets a
        # process in its exec ends it
        command = ['bash', '-c', self.command + '\nexit $?'] if isinstance(self.command, str) else self.command
        start = time.time()
        with open(work + '.out', 'w+b') as out, open(work + '.err', 'w+b') as err:
            process = subprocess.Popen(
                command, cwd=work, env={**clean_environment(work), **self.environment, **settings},
                stdin=subprocess.PIPE if self.stdin is not None else subprocess.DEVNULL,
                stdout=out, stderr=err, start_new_session=True)
            try:
                if self.stdin is not None:
                    process.communicate(self.stdin.encode(), timeout=self.timeout * patience)
                process.wait(self.timeout * patience)
            except subprocess.TimeoutExpired:
                result.problems.append(f'no end after {self.timeout * patience} s')
                print(watch.backtraces(watch.descendants()), file=sys.stderr)
            result.seconds = time.time() - start
            texts = []
            for stream in out, err:
                stream.seek(0)
                texts.append(stream.read().decode(errors='replace'))
        if process.poll() is not None:
            result.visible['status'] = process.returncode
        for key, text in zip(('stdout', 'stderr'), texts):
            for pattern in self.hide:
                text = re.sub(pattern, '', text)
            result.visible[key] = text
        for pattern in self.results:
            for path in sorted(glob.glob(os.path.join(work, pattern))):
                with open(path, 'rb') as file:
                    result.visible[os.path.relpath(path, work)] = hashlib.sha256(
                        file.read()).hexdigest()
        return result


class Server:
    """A server on loopback, driven by its own client, which runs without libprof.

    start: its command; PORT, WORK and USER are replaced in commands and files.
    ready: a shell command that succeeds once it serves. drive: a shell script whose
    output is compared. end: the signal that ends it, or a shell command."""

    def __init__(self, name, packages, start, ready, drive, files=None, setup=None, user=None,
                 end=signal.SIGTERM, hide=(), timeout=TIMEOUT, ignore_status=False, environment=None):
        self.name, self.packages, self.start = name, packages.split(), start
        self.ready, self.drive, self.files, self.setup = ready, drive, files or {}, setup
        self.user, self.end, self.hide, self.timeout = user, end, hide, timeout
        self.ignore_status = ignore_status
        self.environment = environment or {}
        self.storm, self.count = True, None

    def shell(self, script, work, timeout, check=False, user=None):
        done = subprocess.run(['bash', '-c', self.fill(script, work)], cwd=work, user=user,
                              env=clean_environment(work), capture_output=True, text=True,
                              timeout=timeout, errors='replace', stdin=subprocess.DEVNULL)
        if check and done.returncode:
            raise RuntimeError(f'{script}: {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}')
        return done

    def fill(self, text, work):
        return text.replace('PORT', str(self.port)).replace('WORK', work)

    def run(self, work, settings, patience, looks):
        import socket
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            self.port = probe.getsockname()[1]
        if self.user:
            entry = pwd.getpwnam(self.user)
            os.chown(work, entry.pw_uid, entry.pw_gid)
        for path, text in self.files.items():
            with open(os.path.join(work, path), 'w') as file:
                file.write(self.fill(text, work))
        with open(os.path.join(work, 'profiled'), 'w') as file: # for clients that shall run so too
            file.writelines(f'export {key}={value}\n' for key, value in settings.items())
        if self.setup:
            self.shell(self.setup, work, 180, check=True, user=self.user)
        result = Result()
        with open(work + '.out', 'wb') as out, open(work + '.err', 'wb') as err:
            process = subprocess.Popen(
                ['bash', '-c', 'exec ' + self.fill(self.start, work)], cwd=work, user=self.user,
                env={**clean_environment(work), **self.environment, **settings},
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)
            try:
                self.serve(process, work, patience, result, looks)
            except subprocess.TimeoutExpired as late:
                result.problems.append(f'no answer: {late.cmd[-1][:60]}')
                print(watch.backtraces(watch.descendants()), file=sys.stderr)
        for key in 'out', 'err':
            with open(f'{work}.{key}', errors='replace') as file:
                text = file.read()
            if 'libprof' in text:
                result.problems.append(f'libprof in std{key}: ' + text[:200])
        return result

    def serve(self, process, work, patience, result, looks):
        begin = time.time()
        while self.shell(self.ready, work, 30).returncode:
            if time.time() - begin > 30 * patience or process.poll() is not None:
                with open(work + '.err', errors='replace') as file:
                    tail = file.read()[-300:]
                result.problems.append(f'never ready, status {process.poll()}: {tail}')
                process.poll() is None and process.kill()
                process.wait()
                return
            time.sleep(0.1)
        start = time.time()
        done = self.shell(self.drive, work, self.timeout * patience)
        result.seconds = time.time() - start
        text = done.stdout + done.stderr
        for pattern in self.hide:
            text = re.sub(pattern, '', text)
        result.visible['client'] = text
        result.visible['client status'] = done.returncode
        with looks.calm():  # a storm has a dump's thread there at nearly any time
            result.visible['threads'], result.visible['descriptors'] = watch.steady(
                lambda: (watch.threads(process.pid), len(watch.open_files(process.pid))))
        if isinstance(self.end, str):
            self.shell(self.end, work, 30)
        else:
            process.send_signal(self.end)
        status = process.wait(30 * patience)
        if not self.ignore_status:
            result.visible['status'] = status

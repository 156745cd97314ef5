"""Running programs under libprof.so for the tests."""
import glob
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(__file__))
import pprof  # noqa: E402

BUILD = os.environ.get('LIBPROF_BUILD', os.path.join(os.path.dirname(__file__), '../../build'))
BUILD = os.path.abspath(BUILD)
LIBPROF = os.path.join(BUILD, 'preload/libprof.so')
PROF = os.path.join(BUILD, 'collector/prof')
LONG = bool(os.environ.get('LIBPROF_TEST_LONG'))


def target(name):
    return os.path.join(BUILD, 'tests/targets', name)


def skip(reason):
    print(f'skipped: {reason}')
    sys.exit(77)


class Run:
    """A finished run: status, out, err, and its dumps."""

    def __init__(self, done, directory):
        self.status, self.out, self.err, self.directory = (
            done.returncode, done.stdout, done.stderr, directory)

    def files(self, profile='*', program='*'):
        return sorted(glob.glob(f'{self.directory.name}/{program}.*.*.{profile}.pb.gz'))

    def profile(self, name, program='*', symbolize=False):
        """The newest dump of that profile."""
        files = self.files(name, program)
        assert files, f'no {name} profile in {os.listdir(self.directory.name)}; stderr: {self.err}'
        return self.read(files[-1], symbolize)

    def read(self, path, symbolize=False):
        """One of the files."""
        if symbolize:
            out = path + '.sym'
            subprocess.run([PROF, 'symbolize', path, '-o', out], check=True,
                           env={**os.environ, 'XDG_CACHE_HOME': self.directory.name})
            path = out
        return pprof.Profile(path)


def environment(directory, preload=LIBPROF, **settings):
    env = {k: v for k, v in os.environ.items()
           if not k.startswith('LIBPROF_') and k not in ('MALLOC_PERTURB_', 'LD_PRELOAD')}
    env['LD_PRELOAD'] = preload
    env['LIBPROF_DIR'] = directory
    for key, value in settings.items():
        env[key if key.isupper() else 'LIBPROF_' + key.upper()] = str(value)
    return env


def run(command, timeout=120, preload=LIBPROF, stdin=None, text=True, env_extra=None, **settings):
    """Runs a command under libprof.so; settings: heap_rate=1 is LIBPROF_HEAP_RATE=1."""
    directory = tempfile.TemporaryDirectory()
    env = environment(directory.name, preload, **settings)
    env.update(env_extra or {})
    done = subprocess.run(command, env=env, capture_output=True, timeout=timeout, text=text,
                          input=stdin)
    return Run(done, directory)


def plain(command, timeout=120, stdin=None, text=True):
    """The same without libprof."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith('LIBPROF_') and k not in ('MALLOC_PERTURB_', 'LD_PRELOAD')}
    return subprocess.run(command, env=env, capture_output=True, timeout=timeout, text=text,
                          input=stdin)


def tests(*functions):
    """Runs test functions in turn; each failure is told, none hides the next."""
    failed = 0
    for function in functions:
        try:
            function()
            print(f'ok {function.__name__}', flush=True)
        except AssertionError as error:
            failed += 1
            import traceback
            where = traceback.extract_tb(error.__traceback__)[-1]
            print(f'not ok {function.__name__}: {where.line}: {error}', flush=True)
        except Exception as error:  # a crash of the test is a failure too
            failed += 1
            print(f'not ok {function.__name__}: {type(error).__name__}: {error}', flush=True)
    sys.exit(1 if failed else 0)

"""The ways a workload is run: as it is, under libprof, under the peers that Debian packages."""
import glob
import os
import shutil
import subprocess

BUILD = os.path.abspath(os.environ.get(
    'LIBPROF_BUILD', os.path.join(os.path.dirname(__file__), '../../build')))
LIBPROF = os.path.join(BUILD, 'preload/libprof.so')
BIN = os.path.join(BUILD, 'tests/bench')
LIBRARIES = '/usr/lib/' + (os.uname().machine + '-linux-gnu')


class Mode:
    """name; base: the mode it is compared with; preload, env, prefix: how it runs.

    {dir} in values is a directory of the run's own. pairs: at most, of the slow ones, whose
    ratio needs no tenth run; only: the workloads that they are run on.
    """

    def __init__(self, name, title, base='none', preload=None, env=None, prefix=(), pairs=1000,
                 missing=None, only=None):
        self.name, self.title, self.base, self.pairs = name, title, base, pairs
        self.preload, self.env, self.prefix = preload, env or {}, prefix
        self.missing, self.only = missing, only

    def why_not(self):
        """Why it can't run here; None if it can."""
        for need in filter(None, [self.preload, *self.prefix[:1]]):
            if not (os.path.exists(need) if '/' in need else shutil.which(need)):
                return f'{os.path.basename(need)} is not installed'
        return self.missing() if self.missing else None


def _jemalloc_lacks_prof():
    """An allocator built without its profiler says so when it is asked for it."""
    done = subprocess.run(['/bin/true'], capture_output=True, text=True, env={
        'LD_PRELOAD': f'{LIBRARIES}/libjemalloc.so.2', 'MALLOC_CONF': 'prof:true'})
    return ("Debian's libjemalloc2 is built without its profiler"
            if 'Invalid conf pair: prof' in done.stderr else None)


def _libprof(name, title, base='none', **settings):
    env = {'LIBPROF_DIR': '{dir}'}
    env.update({f'LIBPROF_{key.upper()}': str(value) for key, value in settings.items()})
    return Mode(name, title, base, LIBPROF, env)


MODES = {mode.name: mode for mode in [
    Mode('none', 'nothing (noise)'),
    _libprof('default', 'libprof'),
    _libprof('exact', 'libprof, every allocation', heap_rate=1),
    _libprof('cpu1000', 'libprof, CPU at 1000 Hz', cpu_hz=1000),
    Mode('empty', 'an empty preloaded library', preload=f'{BIN}/libempty.so', only=('spawn',)),
    Mode('heaptrack', 'heaptrack (every allocation)', pairs=3,
         prefix=('heaptrack', '-o', '{dir}/heaptrack')),
    Mode('gperf-cpu', 'gperftools CPU at 100 Hz', pairs=4, preload=f'{LIBRARIES}/libprofiler.so.0',
         env={'CPUPROFILE': '{dir}/cpu', 'CPUPROFILE_FREQUENCY': '100'}),
    Mode('perf', 'perf record -g at 100 Hz', pairs=4,
         prefix=('perf', 'record', '-q', '-e', 'cpu-clock', '-F', '100', '-g', '-o', '{dir}/perf')),
    Mode('tcmalloc', 'tcmalloc', preload=f'{LIBRARIES}/libtcmalloc.so.4'),
    Mode('gperf-heap', 'gperftools heap profiler (every allocation)', 'tcmalloc',
         preload=f'{LIBRARIES}/libtcmalloc.so.4', env={'HEAPPROFILE': '{dir}/heap'}, pairs=1,
         only=('sqlite3',)),
    Mode('jemalloc', 'jemalloc', preload=f'{LIBRARIES}/libjemalloc.so.2'),
    Mode('jeprof', 'jemalloc prof, 512 KiB', 'jemalloc', pairs=4,
         preload=f'{LIBRARIES}/libjemalloc.so.2',
         env={'MALLOC_CONF': 'prof:true,lg_prof_sample:19,prof_final:true,prof_prefix:{dir}/je'},
         missing=_jemalloc_lacks_prof),
    Mode('massif', 'valgrind massif', pairs=1, only=('pair',),
         prefix=('valgrind', '-q', '--tool=massif', '--massif-out-file={dir}/massif')),
]}


class Result:
    """One run: seconds of CPU and wall, KiB at the peak, bytes written, what it printed."""

    def __init__(self, line, out, written):
        cpu, wall, peak, self.status = (int(word) for word in line.split())
        self.cpu, self.wall, self.peak = cpu / 1e9, wall / 1e9, peak
        self.out, self.written, self.more = out, written, {}


def clean_environment():
    return {key: value for key, value in os.environ.items()
            if not key.startswith(('LIBPROF_', 'LD_PRELOAD', 'MALLOC_'))}


def start(command, mode, directory, env=None):
    """Starts `command` under the mode; finish() waits for it."""
    os.makedirs(directory, exist_ok=True)
    environment = clean_environment() | (env or {})
    environment |= {key: value.format(dir=directory) for key, value in mode.env.items()}
    if mode.preload:
        environment['MEASURE_PRELOAD'] = mode.preload
    prefix = [word.format(dir=directory) for word in mode.prefix]
    process = subprocess.Popen(
        [f'{BIN}/measure', f'{directory}/measured', *prefix, *command], env=environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.directory = directory
    return process


def finish(process):
    out, err = process.communicate(timeout=1200)
    with open(f'{process.directory}/measured') as file:
        line = file.read()
    written = sum(os.path.getsize(path) for path in glob.glob(f'{process.directory}/*')
                  if os.path.isfile(path)) - len(line)
    shutil.rmtree(process.directory)
    result = Result(line, out, written)
    if result.status != 0:
        raise RuntimeError(f'{process.args[2:]}: status {result.status}: {err.strip()[-300:]}')
    return result

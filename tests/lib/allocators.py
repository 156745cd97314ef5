"""The allocators that libprof meets, behind it and before it."""
import glob
import os

from run import BUILD, LIBPROF

LIBRARIES = ['libjemalloc.so.2', 'libtcmalloc_minimal.so.4', 'libmimalloc.so.2']


def library(name):
    found = glob.glob(f'/usr/lib/*/{name}')
    assert found, f'{name} is not installed'
    return found[0]


def arrangements():
    """Each as a name, LD_PRELOAD with libprof, and LD_PRELOAD without it."""
    yield 'glibc', LIBPROF, ''
    for name in LIBRARIES:
        path = library(name)
        yield f'{name} behind', f'{LIBPROF}:{path}', path
        yield f'{name} before', f'{path}:{LIBPROF}', path


def glibc_over_all():
    """glibc's own functions, for a program that is linked with another allocator."""
    path = os.path.join(BUILD, 'tests/targets/libglibc_malloc.so')
    yield 'glibc behind', f'{LIBPROF}:{path}', path
    yield 'glibc before', f'{path}:{LIBPROF}', path

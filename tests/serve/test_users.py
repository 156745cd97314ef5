"""root's prof serve and other users' processes: families are known, strangers are told."""

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time

from serve import LIBPROF, PROF, SERVED, Server, run_tests, values

NOBODY = 65534
if os.geteuid() != 0:
    print("not run: only root's collector has to do with other users")
    sys.exit(77)


def server_for_all(*options):
    """Whose folder others may enter, and whose fallback directory they may write to."""
    server = Server(*options)
    os.chmod(server.folder, 0o755)
    os.mkdir(server.folder + "/fallback")
    os.chmod(server.folder + "/fallback", 0o777)
    return server


def as_nobody():
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def stranger(server, *command):
    """As systemd starts a service with User=: its parent has nothing to do with libprof."""
    return subprocess.Popen(command, env=server.env(LIBPROF_HEAP_RATE="1"), stdin=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, preexec_fn=as_nobody, cwd="/")


def fallback(server, pid):
    return glob.glob("%s/fallback/*.%d.*.heap.pb.gz" % (server.folder, pid))


def log_of(server):
    with open(server.folder + "/log") as log:
        return log.read()


def finish(server):
    server.stop()
    shutil.rmtree(server.folder)


def test_strangers_keep_their_profiles():
    """Refused, each writes to its directory, however early it ends; the collector says so."""
    server = server_for_all()
    apps = [stranger(server, SERVED, "alloc", "100", "1999", "0") for _ in range(10)]
    apps.append(stranger(server, SERVED, "work", "1"))
    for app in apps:
        app.wait(20)
    ps = server.ps()
    for app in apps:
        assert str(app.pid) not in ps and fallback(server, app.pid), app.pid
    heap = values(fallback(server, apps[0].pid)[0], lambda sample: sample.labels.get("bytes") == 1999)
    assert heap["alloc_objects"] == 100, heap
    said = log_of(server)
    assert said.count("turned away") == 1 and "user nobody" in said and "--users" in said, said
    shown = subprocess.run([PROF, "ps", "--http", server.address], capture_output=True, text=True)
    assert "turned away 11 times: " + SERVED in shown.stdout, shown
    page = server.get("/api/processes").body.decode()
    assert '"refused":11' in page and '"user":"nobody"' in page, page
    finish(server)


def test_a_collector_that_comes_to_them_later():
    """Stopped, it can't answer: they wait a moment and write themselves, once."""
    server = server_for_all("--users", "nobody")
    server.process.send_signal(signal.SIGSTOP)
    start = time.time()
    app = stranger(server, SERVED, "alloc", "100", "1999", "0")
    assert app.wait(20) == 3
    took = time.time() - start
    assert fallback(server, app.pid) and took < 5, took
    server.process.send_signal(signal.SIGCONT)
    time.sleep(0.5)
    assert str(app.pid) not in server.ps()
    assert not glob.glob("%s/*.%d.*" % (server.dir, app.pid))
    assert "before it was taken" in log_of(server)
    finish(server)


def test_users_that_are_named():
    for users in "nobody", "daemon,65534", "any":
        server = server_for_all("--users", users)
        app = stranger(server, SERVED, "alloc", "100", "1999", "0")
        assert app.wait(20) == 3
        server.wait(lambda ps: ps.get(str(app.pid), {}).get("state") == "exited 3")
        assert not fallback(server, app.pid)
        finish(server)
    for users, words in ("daemon", None), ("nonesuch", "no user 'nonesuch'"):
        if words:
            done = subprocess.run([PROF, "serve", "--socket", "/tmp/serve-test-none/s", "--users", users],
                                  capture_output=True, text=True, timeout=20)
            shutil.rmtree("/tmp/serve-test-none", ignore_errors=True)
            assert done.returncode and words in done.stderr and done.stderr.count("\n") == 1, done
            continue
        server = server_for_all("--users", users)
        app = stranger(server, SERVED, "alloc", "100", "1999", "0")
        assert app.wait(20) == 3 and fallback(server, app.pid)
        finish(server)


def test_root_starts_them():
    """setpriv goes on as another user; su forks for it."""
    if not shutil.which("setpriv"):
        print("not run: no setpriv")
        return
    server = server_for_all()
    os.chmod(os.path.dirname(SERVED), 0o755)
    for command in (["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", SERVED, "work", "1"],
                    ["su", "-p", "-s", "/bin/sh", "nobody", "-c", SERVED + " work 1; :"]):
        before = set(server.ps())
        app = subprocess.Popen(command, env=server.env(), stdin=subprocess.DEVNULL)
        found = server.wait(lambda ps: [e for e in ps.values() if e["id"] not in before and
                                        e["exe"] == SERVED])
        app.wait(20)
        server.wait(lambda ps: ps[found[0]["id"]]["state"] != "running")
    assert "turned away" not in log_of(server), log_of(server)
    finish(server)


DAEMON = """
import os, sys, time
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
os.setgid(65534)
os.setuid(65534)
time.sleep(0.3)
with open(sys.argv[1], "w") as file:
    file.write("%d" % os.getpid())
if len(sys.argv) > 2:
    os.execv(sys.argv[2], sys.argv[2:])
kept = bytearray(9000000)
time.sleep(2)
"""


def test_double_forking_daemons():
    """Orphans when they first report, and another user's; one execs before it ever did."""
    server = server_for_all()
    os.chmod(server.folder, 0o777)
    for number, command in enumerate(([], [SERVED, "work", "1"])):
        file = "%s/pid%d" % (server.folder, number)
        subprocess.run(["/usr/bin/python3", "-c", DAEMON, file, *command], env=server.env(), check=True,
                       stdin=subprocess.DEVNULL)
        server.wait(lambda ps: os.path.exists(file))
        time.sleep(0.1)
        with open(file) as text:
            pid = text.read()
        server.wait(lambda ps: ps.get(pid, {}).get("state") == "exited 0")
        assert glob.glob("%s/*.%s.*.heap.pb.gz" % (server.dir, pid))
    assert "turned away" not in log_of(server), log_of(server)
    finish(server)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
        return file.read().split()


def service(server, user, pid_file, *command):
    """Starts a daemon, waits until workers of the user report, and ends it."""
    done = subprocess.run(command, env=server.env(LIBPROF_HEAP_RATE="4096"), capture_output=True, text=True,
                          timeout=60, stdin=subprocess.DEVNULL, cwd="/")
    assert done.returncode == 0, done
    for _ in range(100):
        if os.path.exists(pid_file) and open(pid_file).read().strip():
            break
        time.sleep(0.1)
    with open(pid_file) as file:
        master = int(file.read().split()[0])
    uid = pwd.getpwnam(user).pw_uid

    def workers(ps):
        theirs = [pid for pid in children(master) if os.stat("/proc/" + pid).st_uid == uid]
        return theirs and all(pid in ps for pid in theirs) and theirs

    try:
        theirs = server.wait(workers, 20)
        print("  %s: %d workers of %s" % (os.path.basename(command[0]), len(theirs), user))
    finally:
        os.kill(master, signal.SIGTERM)
        for _ in range(100):
            if not os.path.exists("/proc/%d" % master):
                break
            time.sleep(0.1)
    assert "turned away" not in log_of(server), log_of(server)


def have(program, user):
    try:
        pwd.getpwnam(user)
    except KeyError:
        print("  not run: no user", user)
        return False
    if not shutil.which(program):
        print("  not run: no", program)
        return False
    return True


def write(path, text):
    with open(path, "w") as file:
        file.write(text)
    return path


def test_nginx():
    if not have("nginx", "www-data"):
        return
    server = server_for_all()
    folder = server.folder
    config = write(folder + "/nginx.conf", """
user www-data; worker_processes 2; pid %s/nginx.pid; error_log %s/error.log;
events {} http { access_log off; client_body_temp_path %s/body; proxy_temp_path %s/proxy;
fastcgi_temp_path %s/fcgi; uwsgi_temp_path %s/uwsgi; scgi_temp_path %s/scgi;
server { listen 127.0.0.1:%d; } }""" % ((folder,) * 7 + (free_port(),)))
    service(server, "www-data", folder + "/nginx.pid", "nginx", "-c", config)
    finish(server)


def test_apache2():
    modules = "/usr/lib/apache2/modules"
    if not have("apache2", "www-data") or not os.path.exists(modules + "/mod_mpm_prefork.so"):
        return
    server = server_for_all()
    folder = server.folder
    config = write(folder + "/apache.conf", """
ServerRoot %s
ServerName localhost
Listen 127.0.0.1:%d
PidFile %s/apache.pid
ErrorLog %s/error.log
DefaultRuntimeDir %s
LoadModule mpm_prefork_module %s/mod_mpm_prefork.so
LoadModule authz_core_module %s/mod_authz_core.so
StartServers 2
User www-data
Group www-data
""" % (folder, free_port(), folder, folder, folder, modules, modules))
    service(server, "www-data", folder + "/apache.pid", "apache2", "-f", config)
    finish(server)


def test_php_fpm():
    programs = sorted(glob.glob("/usr/sbin/php-fpm*"))
    if not programs or not have(programs[-1], "www-data"):
        print("  not run: no php-fpm")
        return
    server = server_for_all()
    folder = server.folder
    config = write(folder + "/fpm.conf", """
[global]
pid = %s/fpm.pid
error_log = %s/error.log
daemonize = yes
[www]
user = www-data
group = www-data
listen = 127.0.0.1:%d
pm = static
pm.max_children = 2
""" % (folder, folder, free_port()))
    service(server, "www-data", folder + "/fpm.pid", programs[-1], "-y", config)
    finish(server)


def test_postgresql():
    """Started by root as its own user, as pg_ctlcluster does it."""
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not folders or not have("setpriv", "postgres"):
        print("  not run: no PostgreSQL")
        return
    server = server_for_all()
    data, binaries = server.folder + "/data", folders[-1]
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    os.mkdir(data)
    shutil.chown(data, "postgres", "postgres")
    subprocess.run(user + [binaries + "/initdb", "-D", data, "-N", "-A", "trust"], check=True, timeout=120,
                   stdout=subprocess.DEVNULL, cwd="/", stdin=subprocess.DEVNULL)
    service(server, "postgres", data + "/postmaster.pid", *user, binaries + "/pg_ctl", "-D", data, "-w",
            "-l", data + "/log", "-o", "-k %s -c listen_addresses=" % data, "start")
    finish(server)


run_tests(globals())
